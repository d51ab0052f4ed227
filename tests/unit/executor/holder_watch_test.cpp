#include "disttask/executor/holder_watch.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::executor;
using namespace std::chrono_literals;

namespace {
struct Observed {
  HolderWatch watch;
  proto::Node holder;
  runtime::TimePoint now{1h};
  Observed() {
    holder.life = proto::Life(7);
    holder.renewals = 3;
    holder.lease_ms = 30'000;
  }
  bool after(runtime::Duration time) {
    now += time;
    return watch.observe(holder, now);
  }
};
}  // namespace

TEST_CASE("A life may be evicted when its renewals stood still for its lease and a second", "[executor][lease]") {
  Observed observed;
  CHECK_FALSE(observed.after(0s));
  for (int i = 0; i < 30; ++i) CHECK_FALSE(observed.after(1s));
  CHECK(observed.after(1s));
}

TEST_CASE("A renewal, another life, or a gap in our own writes begins the watch anew", "[executor][lease]") {
  Observed observed;
  for (int i = 0; i < 30; ++i) CHECK_FALSE(observed.after(1s));
  SECTION("renewal") {
    ++observed.holder.renewals;
  }
  SECTION("another life") {
    observed.holder.life = proto::Life(8);
  }
  SECTION("gap") {
    observed.now += 10s;
  }
  SECTION("reset") {
    observed.watch.reset();
  }
  for (int i = 0; i < 31; ++i) CHECK_FALSE(observed.after(1s));
  CHECK(observed.after(1s));
}
