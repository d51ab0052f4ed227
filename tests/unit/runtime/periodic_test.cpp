#include "disttask/runtime/periodic.hpp"

#include "support/fake_clock.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <atomic>
#include <stdexcept>

using namespace disttask;
using namespace disttask::runtime;
using namespace std::chrono_literals;

namespace {

struct Bench {
  test::FakeClock clock;
  test::FakeTimers timers{clock};
  test::TestSignal<std::string> errors;
  test::TestSignal<int> begun;
  test::TestSignal<int> go;
  std::atomic<int> num_inside{0};
  std::atomic<int> most_inside{0};
  ThreadPool pool{"ctl", 2, 0, [this](const Error& error) { errors.send(error.message()); }};  // its jobs use the above

  // A round that reports itself; with `held` it stays until it is let go.
  std::function<Duration()> body(Duration delay, bool held = false) {
    return [this, delay, held] {
      const int inside = ++num_inside;
      if (inside > most_inside) most_inside = inside;
      begun.send(1);
      if (held) static_cast<void>(go.wait());
      --num_inside;
      return delay;
    };
  }
  bool waitForRounds(const Periodic& periodic, std::uint64_t n) {
    return test::eventually([&] { return periodic.numRounds() == n; });
  }
  // True when nothing comes although there was time for it.
  bool isQuiet() { return !begun.wait(10ms); }
};

}  // namespace

TEST_CASE("A long delay beats every five seconds, and a round that hangs does not", "[runtime][periodic]") {
  Bench bench;
  Periodic periodic("p", bench.timers, bench.pool, bench.body(12s, true));
  periodic.start(12s);
  for (const std::uint64_t beats : {1, 2, 2}) {
    bench.clock.advance(beats == 1 || periodic.numBeats() == 1 ? 5s : 1s);
    CHECK(periodic.numBeats() == beats);
  }
  CHECK(bench.isQuiet());
  bench.clock.advance(1s);
  REQUIRE(bench.begun.wait());
  bench.clock.advance(60s);
  CHECK(periodic.numBeats() == 2);
  CHECK(periodic.numRounds() == 0);
  bench.go.send(1);
  REQUIRE(bench.waitForRounds(periodic, 1));
  bench.clock.advance(11s);
  CHECK(bench.isQuiet());
  bench.clock.advance(1s);
  REQUIRE(bench.begun.wait());  // a delay is as long as it was asked for
  bench.go.send(1);
  REQUIRE(bench.waitForRounds(periodic, 2));
}

TEST_CASE("Rounds follow at the delay that the body returns", "[runtime][periodic]") {
  Bench bench;
  Periodic periodic("p", bench.timers, bench.pool, bench.body(300ms));
  CHECK(bench.timers.numPending() == 0);
  periodic.start(100ms);
  bench.clock.advance(99ms);
  CHECK(bench.isQuiet());
  bench.clock.advance(1ms);
  REQUIRE(bench.begun.wait());
  REQUIRE(bench.waitForRounds(periodic, 1));
  bench.clock.advance(299ms);
  CHECK(bench.isQuiet());
  bench.clock.advance(1ms);
  REQUIRE(bench.begun.wait());
  REQUIRE(bench.waitForRounds(periodic, 2));
}

TEST_CASE("Rounds never overlap", "[runtime][periodic]") {
  Bench bench;
  Periodic periodic("p", bench.timers, bench.pool, bench.body(1ms, true));
  periodic.start(0ms);
  bench.clock.advance(0ms);
  REQUIRE(bench.begun.wait());
  bench.clock.advance(1h);
  for (int i = 0; i < 10; ++i) periodic.nudge();
  bench.clock.advance(1h);
  CHECK(bench.isQuiet());
  bench.go.send(1);
  REQUIRE(bench.begun.wait());  // one more for all nudges
  bench.go.send(1);
  REQUIRE(bench.waitForRounds(periodic, 2));
  CHECK(bench.most_inside == 1);
}

TEST_CASE("A nudge runs a round now and the next one a whole delay later", "[runtime][periodic]") {
  Bench bench;
  Periodic periodic("p", bench.timers, bench.pool, bench.body(300ms));
  periodic.start(300ms);
  bench.clock.advance(200ms);
  periodic.nudge();
  REQUIRE(bench.begun.wait());
  REQUIRE(bench.waitForRounds(periodic, 1));
  bench.clock.advance(100ms);  // when the round before would have been due
  CHECK(bench.isQuiet());
  bench.clock.advance(200ms);
  CHECK(bench.begun.wait());
  REQUIRE(bench.waitForRounds(periodic, 2));
}

TEST_CASE("Nudges make at most one early round per 20 ms, and none is lost", "[runtime][periodic]") {
  Bench bench;
  Periodic periodic("p", bench.timers, bench.pool, bench.body(10s));
  periodic.start(10s);
  periodic.nudge();
  REQUIRE(bench.begun.wait());
  REQUIRE(bench.waitForRounds(periodic, 1));
  for (int i = 0; i < 5; ++i) periodic.nudge();
  bench.clock.advance(19ms);
  CHECK(bench.isQuiet());
  bench.clock.advance(1ms);
  REQUIRE(bench.begun.wait());
  REQUIRE(bench.waitForRounds(periodic, 2));
  bench.clock.advance(1s);
  CHECK(bench.isQuiet());
  periodic.nudge();
  CHECK(bench.begun.wait());
  REQUIRE(bench.waitForRounds(periodic, 3));
}

TEST_CASE("A nudge before start makes the first round early", "[runtime][periodic]") {
  Bench bench;
  Periodic periodic("p", bench.timers, bench.pool, bench.body(10s));
  periodic.nudge();
  CHECK(bench.isQuiet());
  periodic.start(10s);
  CHECK(bench.begun.wait());
}

TEST_CASE("Stop waits for the round that runs and no other begins", "[runtime][periodic]") {
  Bench bench;
  Periodic periodic("p", bench.timers, bench.pool, bench.body(1ms, true));
  periodic.start(0ms);
  bench.clock.advance(0ms);
  REQUIRE(bench.begun.wait());
  test::TestSignal<int> stopped;
  ThreadGroup threads;
  threads.spawn("stops", [&] {
    periodic.stop();
    stopped.send(bench.num_inside);
  });
  CHECK_FALSE(stopped.wait(10ms));
  periodic.nudge();
  bench.go.send(1);
  CHECK(stopped.wait() == 0);
  periodic.nudge();
  bench.clock.advance(1h);
  CHECK(bench.isQuiet());
  CHECK(periodic.numRounds() == 1);
  CHECK(bench.timers.numPending() == 0);
  periodic.stop();
}

TEST_CASE("A stop before start is legal and final", "[runtime][periodic]") {
  Bench bench;
  Periodic periodic("p", bench.timers, bench.pool, bench.body(1ms));
  periodic.stop();
  periodic.start(0ms);
  periodic.nudge();
  bench.clock.advance(1s);
  CHECK(bench.isQuiet());
}

TEST_CASE("A round that finds no free thread is tried again and counted", "[runtime][periodic]") {
  test::TestSignal<int> release;
  Bench bench;
  for (int i = 0; i < 2; ++i) REQUIRE(bench.pool.run([&] { static_cast<void>(release.wait()); }));
  Periodic periodic("p", bench.timers, bench.pool, bench.body(1s));
  periodic.start(0ms);
  bench.clock.advance(0ms);
  CHECK(periodic.numRefused() == 1);
  CHECK(bench.isQuiet());
  release.send(1);
  release.send(1);
  REQUIRE(test::eventually([&] {
    bench.clock.advance(10ms);
    return periodic.numRounds() == 1;
  }));
  CHECK(bench.begun.size() == 1);
}

TEST_CASE("A round that throws is reported with the name and the rounds go on", "[runtime][periodic]") {
  std::atomic<bool> fails{true};
  Bench bench;
  Periodic periodic("poll", bench.timers, bench.pool, [&]() -> Duration {
    if (fails) throw std::runtime_error("boom");
    return 1h;
  });
  periodic.start(0ms);
  bench.clock.advance(0ms);
  CHECK(bench.errors.wait() == "round of poll: boom");
  fails = false;
  bench.clock.advance(1s);
  CHECK(bench.waitForRounds(periodic, 2));
}

TEST_CASE("Periodic loops start and stop under load without harm", "[runtime][periodic][race]") {
  ThreadPool pool("ctl", 4, 0, {});
  Reactor reactor;
  reactor.start();
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> num_inside{0};
    std::atomic<int> num_overlaps{0};
    Periodic periodic("p", reactor, pool, [&]() -> Duration {
      if (++num_inside > 1) ++num_overlaps;
      --num_inside;
      return std::chrono::microseconds(100);
    });
    periodic.start(0ms);
    {
      ThreadGroup threads;
      for (int i = 0; i < 2; ++i) {
        threads.spawn("nudges", [&] {
          for (int j = 0; j < 20; ++j) periodic.nudge();
        });
      }
      if (round % 2 == 0) threads.spawn("stops", [&] { periodic.stop(); });
    }
    periodic.stop();
    REQUIRE(num_overlaps == 0);
    REQUIRE(num_inside == 0);
  }
}
