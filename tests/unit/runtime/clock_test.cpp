#include "disttask/runtime/clock.hpp"

#include "disttask/base/error.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/fake_clock.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::runtime;
using namespace std::chrono_literals;

TEST_CASE("The boot clock goes forward", "[runtime][clock]") {
  const auto before = BootClock::now();
  CHECK(before.time_since_epoch() > 0s);
  CHECK(test::eventually([&] { return BootClock::now() > before; }));
}

TEST_CASE("A deadline is reached at its moment", "[runtime][deadline]") {
  test::FakeClock clock;
  const Deadline deadline(clock, 10s);
  CHECK_FALSE(deadline.isNever());
  CHECK(deadline.left() == 10s);
  clock.advance(9999ms);
  CHECK_FALSE(deadline.isReached());
  CHECK(deadline.left() == 1ms);
  clock.advance(1ms);
  CHECK(deadline.isReached());
  CHECK(deadline.left() == 0s);
  clock.advance(1h);
  CHECK(deadline.left() == 0s);
}

TEST_CASE("A deadline that was made from nothing never comes", "[runtime][deadline]") {
  const Deadline never;
  CHECK(never.isNever());
  CHECK_FALSE(never.isReached());
  CHECK(never.left() == Duration::max());
  CHECK(never.at() == TimePoint::max());
}

TEST_CASE("A deadline beyond what can be counted is at the end of time", "[runtime][deadline]") {
  test::FakeClock clock;
  const Deadline deadline(clock, Duration::max());
  CHECK_FALSE(deadline.isReached());
  CHECK(deadline.at() == TimePoint::max());
}

TEST_CASE("A call checks its cancel first, then its deadline", "[runtime][call]") {
  test::FakeClock clock;
  CancelSource source;
  const Call call{.token = source.token(), .deadline = Deadline(clock, 1s)};
  CHECK_NOTHROW(call.check("poll"));
  CHECK_NOTHROW(Call().check("poll"));
  clock.advance(1s);
  try {
    call.check("poll");
    FAIL("it did not throw");
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kTimedOut);
    CHECK(e.error().message() == "timed out: poll");
  }
  source.cancel(CancelCause::kShutdown);
  CHECK_THROWS_WITH(call.check("poll"), "cancelled: shutdown");
}

TEST_CASE("A wake-up that was notified before the wait is taken once", "[runtime][wakeup]") {
  test::FakeClock clock;
  Wakeup wakeup(clock);
  wakeup.notify();
  wakeup.notify();
  CHECK(wakeup.waitFor({}, 1h) == WakeReason::kNotified);
  CHECK(wakeup.waitFor({}, 0s) == WakeReason::kTimeout);
}

TEST_CASE("A wake-up ends a wait by notify, by time or by cancel", "[runtime][wakeup]") {
  test::FakeClock clock;
  Wakeup wakeup(clock);
  CancelSource source;
  test::TestSignal<WakeReason> ended;
  ThreadGroup threads;
  threads.spawn("waiter", [&] { ended.send(wakeup.waitFor(source.token(), 10s)); });
  REQUIRE(test::eventually([&] { return clock.numWaiters() == 1; }));

  SECTION("notify") {
    wakeup.notify();
    CHECK(ended.wait() == WakeReason::kNotified);
  }
  SECTION("time") {
    clock.advance(9s);
    CHECK_FALSE(ended.wait(20ms));
    clock.advance(1s);
    CHECK(ended.wait() == WakeReason::kTimeout);
  }
  SECTION("cancel") {
    source.cancel(CancelCause::kClosed);
    CHECK(ended.wait() == WakeReason::kCancelled);
  }
}

TEST_CASE("A wake-up on the real clock ends by notify, by time or by cancel", "[runtime][wakeup]") {
  Wakeup wakeup(systemClock());
  CancelSource source;
  const auto began = BootClock::now();
  CHECK(wakeup.waitFor(source.token(), 5ms) == WakeReason::kTimeout);
  CHECK(BootClock::now() - began >= 5ms);

  test::TestSignal<WakeReason> ended;
  ThreadGroup threads;
  threads.spawn("waiter", [&] { ended.send(wakeup.waitFor(source.token(), Duration::max())); });
  SECTION("notify") {
    wakeup.notify();
    CHECK(ended.wait() == WakeReason::kNotified);
  }
  SECTION("cancel") {
    source.cancel(CancelCause::kClosed);
    CHECK(ended.wait() == WakeReason::kCancelled);
  }
}

TEST_CASE("A wait sees what is ready even when its time has passed", "[runtime][clock]") {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  CHECK(systemClock().waitUntil(lock, changed, {}, TimePoint(), [] { return true; }));
  CHECK_FALSE(systemClock().waitUntil(lock, changed, {}, TimePoint(), [] { return false; }));
  CHECK(lock.owns_lock());
}

TEST_CASE("Fake timers run in order of time, each at its own time", "[support][fake_clock]") {
  test::FakeClock clock;
  test::FakeTimers timers(clock);
  std::vector<std::string> order;
  const auto began = clock.now();
  const auto note = [&](const std::string& name) {
    order.push_back(name + std::to_string((clock.now() - began) / 1ms));
  };
  timers.after(30ms, [&] { note("c"); });
  timers.after(10ms, [&] {
    note("a");
    timers.after(10ms, [&] { note("b"); });
  });
  const auto dropped = timers.after(15ms, [&] { note("x"); });
  CHECK(timers.cancel(dropped));
  CHECK_FALSE(timers.cancel(dropped));
  CHECK(timers.untilNext() == 10ms);
  clock.advance(29ms);
  CHECK(order == std::vector<std::string>{"a10", "b20"});
  CHECK(timers.numPending() == 1);
  clock.advance(1h);
  CHECK(order.back() == "c30");
  CHECK(clock.now() == began + 29ms + 1h);
  timers.after(0s, [&] { note("now"); });
  clock.advance(0s);
  CHECK(order.size() == 4);
}
