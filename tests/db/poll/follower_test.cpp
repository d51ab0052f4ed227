// How a follower uses the polls of its node to watch who has the scheduler role (design rules 3, 17, 19).
#include "disttask/scheduler/scheduler_service.hpp"

#include "support/fake_clock.hpp"
#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace std::chrono_literals;
using test::eventually;
using test::TestStore;

namespace {

/// A scheduler whose time, rounds and polls the test leads.
struct Watcher {
  static scheduler::SchedulerSettings withLease(runtime::Duration lease) {
    scheduler::SchedulerSettings settings;
    settings.lease = lease;
    return settings;
  }
  explicit Watcher(TestStore& store_in, std::function<void(const std::vector<proto::Node>&)> tell_renewal = nullptr)
      : store(store_in), told(std::move(tell_renewal)) {}
  /// One whose node renews its own lease each quarter of it, first after `phase`.
  Watcher(TestStore& store_in, runtime::Duration lease, runtime::Duration phase)
      : store(store_in), settings(withLease(lease)) {
    const auto begin = clock.now();
    last_renewal = [this, begin, every = lease / 4, phase] {
      const auto passed = clock.now() - begin;
      return passed < phase ? begin : begin + phase + (passed - phase) / every * every;
    };
  }
  void poll() {
    auto seen = store->pollTable().poll({}, "a");
    seen.began = seen.ended = clock.now();
    service.takePoll(seen);
  }
  /// Runs rounds as the service asks for them, with a poll every two seconds, until it has the role; returns after how
  /// long, or the limit.
  runtime::Duration untilOwner(runtime::Duration limit) {
    const auto begin = clock.now();
    auto next_round = begin;
    for (auto next_poll = begin; clock.now() - begin < limit; clock.advance(100ms)) {
      if (clock.now() >= next_poll) {
        poll();
        next_poll += 2s;
      }
      if (clock.now() >= next_round) next_round = clock.now() + service.runRoundForTest() + round_takes;
      if (service.isOwner()) return clock.now() - begin;
    }
    return limit;
  }

  TestStore& store;
  std::function<void(const std::vector<proto::Node>&)> told;
  test::FakeClock clock;
  std::function<runtime::TimePoint()> last_renewal = [this] { return clock.now(); };
  scheduler::SchedulerSettings settings;
  runtime::Duration round_takes{};  ///< added to each pause between rounds
  test::FakeTimers timers{clock};
  runtime::ThreadPool pool{"ctl", 1, 0, {}};
  scheduler::SchedulerService service{
      {store->nodeTable(),
       store->schedulerTable(),
       clock,
       timers,
       pool,
       "a",
       [this] { return std::optional(last_renewal()); },
       nullptr,
       told},
      settings};
};

proto::Life takeRole(TestStore& store) {
  auto& table = store->schedulerTable();
  const auto life = table.takeOwnership({}, "other", table.getOwner({}));
  REQUIRE(life);
  return *life;
}

}  // namespace

TEST_CASE("A follower takes the role of a silent holder within the lease and two seconds", "[db][poll]") {
  TestStore store;
  takeRole(store);
  Watcher watcher(store);
  const auto took = watcher.untilOwner(60s);
  CHECK(took >= 31s);
  CHECK(took <= 32s);
}

TEST_CASE("A follower looks again just when a silent holder's lease and a second are over", "[db][poll]") {
  TestStore store;
  takeRole(store);
  Watcher watcher(store);
  watcher.poll();
  watcher.service.runRoundForTest();
  watcher.clock.advance(300ms);  // so the rounds, one a second, do not fall on the end of the lease
  const auto took = watcher.untilOwner(60s);
  CHECK(took >= 30700ms);
  CHECK(took <= 30800ms);
}

TEST_CASE("A follower takes no two of its own renewals between two of its rounds for a gap", "[db][poll]") {
  TestStore store;
  for (auto phase = 0ms; phase < 1500ms; phase += 100ms) {
    CAPTURE(phase.count());
    takeRole(store);
    Watcher watcher(store, 6s, phase);
    watcher.round_takes = 100ms;
    const auto took = watcher.untilOwner(20s);
    CHECK(took >= 7s);
    CHECK(took <= 7200ms);
  }
}

TEST_CASE("A follower counts the silence of a holder from the first poll that showed its last renewal", "[db][poll]") {
  TestStore store;
  const auto life = takeRole(store);
  Watcher watcher(store);
  watcher.poll();
  watcher.service.runRoundForTest();
  watcher.clock.advance(100ms);
  REQUIRE(store->schedulerTable().renewOwnership({}, life));
  watcher.poll();
  watcher.clock.advance(1900ms);
  watcher.poll();
  watcher.clock.advance(1s);  // its round comes three seconds after the first sight
  const auto took = watcher.untilOwner(60s);
  CHECK(took >= 28100ms);
  CHECK(took <= 28200ms);
}

TEST_CASE("The holder of the role tells up to eight followers of each renewal, and nobody when it did not renew") {
  TestStore store;
  for (int i = 0; i < 10; ++i) {
    proto::Node node;
    node.exec_id = "node-" + std::to_string(i);
    node.life = proto::Life(i + 1);
    node.role = "disttask";
    REQUIRE(store->nodeTable().registerNode({}, node, std::nullopt));
  }
  std::vector<std::vector<proto::Node>> told;
  Watcher watcher(store, [&](const auto& nodes) { told.push_back(nodes); });
  watcher.service.runRoundForTest();
  REQUIRE(watcher.service.isOwner());
  CHECK(told.size() == 1);  // of the take-over: who dies soon after it was first seen then
  watcher.service.runRoundForTest();
  CHECK(told.size() == 1);
  watcher.clock.advance(7s);
  watcher.service.runRoundForTest();
  REQUIRE(told.size() == 2);
  CHECK(told[1].size() == 8);
  watcher.service.runRoundForTest();
  CHECK(told.size() == 2);
}

TEST_CASE("An old poll shown again does not make a holder look silent", "[db][poll]") {
  TestStore store;
  const auto life = takeRole(store);
  Watcher watcher(store);
  watcher.poll();  // the only one
  for (int i = 0; i < 60; ++i) {
    if (i % 7 == 0) REQUIRE(store->schedulerTable().renewOwnership({}, life));
    watcher.service.runRoundForTest();
    watcher.clock.advance(1s);
  }
  CHECK_FALSE(watcher.service.isOwner());
  CHECK(store->schedulerTable().getOwner({}).life == life);
}

TEST_CASE("A poll that shows a free role makes a follower take it at once", "[db][poll]") {
  TestStore store;
  const auto life = takeRole(store);
  Watcher watcher(store);
  watcher.service.start();
  watcher.clock.advance(0ms);
  REQUIRE(eventually([&] { return watcher.service.numRounds() == 1; }));
  REQUIRE(store->schedulerTable().releaseOwnership({}, life));
  CHECK_FALSE(watcher.service.isOwner());
  watcher.poll();
  CHECK(eventually([&] { return watcher.service.isOwner(); }));  // the clock stands still
  watcher.service.stop();
}
