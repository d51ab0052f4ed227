#include "disttask/scheduler/node_observer.hpp"

#include "support/fake_clock.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::scheduler;
using namespace std::chrono_literals;

namespace {

/// An observer that looks once a second at one node and itself writes every ten seconds, as an owner does.
class Watch {
 public:
  void step(runtime::Duration by = 1s) {
    clock_.advance(by);
    if (writes && clock_.now() - last_write_ >= 10s) write();
  }
  void write() {
    last_write_ = clock_.now();
    observer_.confirmWrite(last_write_);
  }
  bool look() { return !observer_.observe({{"node", life, renewals, 30s}}, clock_.now(), clock_.now()).empty(); }
  /// Steps and looks until the node counts as dead; returns the seconds.
  int secondsUntilExpired(int limit) {
    for (int s = 1; s <= limit; ++s) {
      step();
      if (look()) return s;
    }
    return -1;
  }
  runtime::TimePoint now() const { return clock_.now(); }

  bool writes = true;
  proto::Life life{7};
  std::int64_t renewals = 3;

 private:
  test::FakeClock clock_;
  NodeObserver observer_{12500ms};
  runtime::TimePoint last_write_{};
};

}  // namespace

TEST_CASE("A life whose counter stands still for the lease and a second is expired", "[scheduler][observer]") {
  Watch watch;
  watch.write();
  REQUIRE_FALSE(watch.look());
  CHECK(watch.secondsUntilExpired(60) == 31);
}

TEST_CASE("A renewal, or a new life, begins the count anew", "[scheduler][observer]") {
  Watch watch;
  watch.write();
  REQUIRE_FALSE(watch.look());
  REQUIRE(watch.secondsUntilExpired(29) == -1);
  SECTION("renewed") {
    ++watch.renewals;
  }
  SECTION("another life with the same counter") {
    watch.life = proto::Life(8);
  }
  REQUIRE_FALSE(watch.look());
  CHECK(watch.secondsUntilExpired(60) == 31);
}

TEST_CASE("A read from before the end of a gap in our own writes counts for nothing, also when it is entered later") {
  test::FakeClock clock;
  NodeObserver observer(10s);
  const std::vector<LeaseReading> node{{"node", proto::Life(7), 3, 30s}};
  observer.confirmWrite(clock.now());
  clock.advance(15s);
  const auto in_gap = clock.now();
  clock.advance(1s);
  observer.confirmWrite(clock.now());
  CHECK(observer.observe(node, in_gap, in_gap).empty());
  CHECK(observer.expiryOf("node", 30s) == std::nullopt);
  CHECK(observer.observe(node, clock.now(), clock.now()).empty());
  CHECK(observer.expiryOf("node", 30s) == clock.now() + 31s);
}

TEST_CASE("A life of 0 is nobody", "[scheduler][observer]") {
  Watch watch;
  watch.life = proto::Life();
  watch.write();
  REQUIRE_FALSE(watch.look());
  CHECK(watch.secondsUntilExpired(100) == -1);
}

TEST_CASE("Time counts only while the observer's own writes are confirmed", "[scheduler][observer]") {
  Watch watch;
  SECTION("never confirmed: nobody expires") {
    watch.writes = false;
    REQUIRE_FALSE(watch.look());
    CHECK(watch.secondsUntilExpired(120) == -1);
  }
  SECTION("a gap restarts all observations") {
    watch.write();
    REQUIRE_FALSE(watch.look());
    REQUIRE(watch.secondsUntilExpired(15) == -1);
    watch.writes = false;
    REQUIRE(watch.secondsUntilExpired(30) == -1);  // the store takes no writes: 45 s without a renewal
    watch.writes = true;
    watch.write();
    REQUIRE_FALSE(watch.look());  // what was seen before does not count
    CHECK(watch.secondsUntilExpired(60) == 31);
  }
  SECTION("a gap between two looks counts too") {
    watch.write();
    REQUIRE_FALSE(watch.look());
    watch.writes = false;
    watch.step(32s);
    watch.write();
    CHECK_FALSE(watch.look());
    watch.writes = true;
    CHECK(watch.secondsUntilExpired(60) == 31);
  }
  SECTION("older confirmations change nothing") {
    watch.write();
    REQUIRE_FALSE(watch.look());
    CHECK(watch.secondsUntilExpired(60) == 31);
  }
}

TEST_CASE("The time of a slow read counts for the node", "[scheduler][observer]") {
  test::FakeClock clock;
  NodeObserver observer(12500ms);
  const std::vector<LeaseReading> seen{{"node", proto::Life(7), 1, 30s}};
  const auto start = clock.now();
  observer.confirmWrite(start + 5s);
  REQUIRE(observer.observe(seen, start, start + 5s).empty());  // may have been read at the end: since then
  for (auto at = start + 10s; at < start + 36s; at += 1s) {
    observer.confirmWrite(at);
    REQUIRE(observer.observe(seen, at, at + 1s).empty());
  }
  observer.confirmWrite(start + 36s);
  CHECK(observer.observe(seen, start + 36s, start + 36s).size() == 1);
}

TEST_CASE("A node that was not seen in between is observed anew", "[scheduler][observer]") {
  test::FakeClock clock;
  NodeObserver observer(12500ms);
  const std::vector<LeaseReading> seen{{"a", proto::Life(7), 1, 2s}, {"b", proto::Life(8), 1, 10s}};
  const auto start = clock.now();
  observer.confirmWrite(start);
  REQUIRE(observer.observe(seen, start, start).empty());
  const auto expired = observer.observe(seen, start + 3s, start + 3s);
  REQUIRE(expired.size() == 1);  // each by its own lease
  CHECK(expired.front().exec_id == "a");
  CHECK(expired.front().life == proto::Life(7));
  CHECK(expired.front().renewals == 1);
  REQUIRE(observer.observe({}, start + 4s, start + 4s).empty());
  CHECK(observer.observe(seen, start + 5s, start + 5s).empty());
}
