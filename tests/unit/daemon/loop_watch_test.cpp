#include "loop_watch.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using disttask::app::LoopWatch;
using std::chrono::seconds;

namespace {
runtime::TimePoint at(int second) {
  return runtime::TimePoint(seconds(1000 + second));
}
}  // namespace

TEST_CASE("A loop that stands still for the limit is named, and no longer when it moves") {
  LoopWatch watch(seconds(10));
  for (int second = 0; second < 10; ++second) {
    watch.observe(at(second), {{"poll", 7}, {"lease", static_cast<std::uint64_t>(second)}});
    CHECK(watch.still().empty());
  }
  watch.observe(at(10), {{"poll", 7}, {"lease", 10}});
  CHECK(watch.still() == std::vector<std::string>{"poll"});
  watch.observe(at(11), {{"poll", 8}, {"lease", 11}});
  CHECK(watch.still().empty());
}

TEST_CASE("A process that stood still as a whole is not taken for a loop that does") {
  LoopWatch watch(seconds(10));
  watch.observe(at(0), {{"poll", 7}});
  watch.observe(at(3600), {{"poll", 7}});  // it was stopped, or its host slept
  CHECK(watch.still().empty());
  for (int second = 3602; second <= 3610; second += 2) watch.observe(at(second), {{"poll", 7}});
  CHECK(watch.still() == std::vector<std::string>{"poll"});
}
