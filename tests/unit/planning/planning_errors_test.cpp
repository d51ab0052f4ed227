// Errors of planning: tried again later, given up at the limit, or fatal at once.
#include "planning_fixture.hpp"

#include <algorithm>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

TEST_CASE(
    "A planning error that may pass fails the plan at the limit of errors in a row, a batch begins the count anew",
    "[planning]"
) {
  World world;
  world.settings.retry_limit = 3;
  std::vector<std::string> cursors;
  world.type->num_batches = 9;
  world.type->on_plan = [&](plugin::PlanContext&) {
    const auto cursor = world.plans.get().cursor;
    cursors.push_back(cursor);
    const auto tries = std::count(cursors.begin(), cursors.end(), cursor);
    // The first two batches are written at their fourth try, which is the last one.
    if (tries <= 3 || cursor == "2") throw Exception(ErrorCode::kPluginFailed, "transient");
  };
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().failed; }));
  REQUIRE(world.runUntil([&] { return service->numRunning() == 0; }));
  CHECK(cursors == std::vector<std::string>{"", "", "", "", "1", "1", "1", "1", "2", "2", "2", "2"});
  CHECK(world.plans.get().error == "transient");
  CHECK(world.plans.get().retries == 4);
  CHECK(world.plans.numRows() == 4);
}

TEST_CASE("Tries to plan are spaced by a back-off that doubles up to its cap", "[planning]") {
  World world;
  world.settings.retry_limit = 6;
  world.settings.backoff = {1s, 8s, 0.2};
  world.plans.clock = &world.clock;
  std::vector<runtime::TimePoint> tries;
  world.type->on_plan = [&](plugin::PlanContext&) {
    tries.push_back(world.clock.now());
    throw Exception(ErrorCode::kPluginFailed, "transient");
  };
  const auto service = world.start();
  REQUIRE(eventually([&] {
    world.clock.advance(400ms);
    return world.plans.get().failed;
  }));
  REQUIRE(world.runUntil([&] { return service->numRunning() == 0; }));
  REQUIRE(tries.size() == 7);
  const std::vector<runtime::Duration> doubled{1s, 2s, 4s, 8s, 8s, 8s};
  for (std::size_t i = 0; i < doubled.size(); ++i) {
    INFO("after try " << i + 1);
    CHECK(world.plans.delays[i] <= doubled[i]);
    CHECK(world.plans.delays[i] >= doubled[i] * 4 / 5);
    CHECK(tries[i + 1] - tries[i] >= world.plans.delays[i]);
  }
}

TEST_CASE("A planning error that may not pass fails the plan at once", "[planning]") {
  World world;
  int tries = 0;
  const auto throwBroken = [&] {
    ++tries;
    throw Exception(ErrorCode::kPluginFailed, "broken");
  };
  SECTION("of a batch") {
    world.type->on_plan = [&](plugin::PlanContext&) { throwBroken(); };
  }
  SECTION("of the next step") {
    world.type->on_next_step = throwBroken;
  }
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().failed; }));
  REQUIRE(world.runUntil([&] { return service->numRunning() == 0; }));
  CHECK(tries == 1);
  CHECK(world.plans.get().error == "broken");
}

TEST_CASE("A task meta that its type refuses fails the plan before anything is asked of the type", "[planning]") {
  World world;
  world.type->on_validate = [] { throw Exception(ErrorCode::kInvalidArgument, "'file' is missing"); };
  std::atomic<bool> asked{false};
  world.type->on_next_step = [&] { asked = true; };
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().failed; }));
  CHECK(world.plans.get().error == "'file' is missing");
  CHECK_FALSE(asked);
}

TEST_CASE("A store that fails in the middle lets the plan go on from its cursor", "[planning]") {
  World world;
  world.plans.fail_batches = 2;
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.numRows() == 6);
}

TEST_CASE("A store that goes on refusing a plan is asked ever more rarely, and costs it no try", "[planning]") {
  World world;
  world.plans.clock = &world.clock;
  world.plans.fail_batches = 1'000'000;
  std::vector<runtime::TimePoint> tries;
  world.type->on_plan = [&](plugin::PlanContext&) { tries.push_back(world.clock.now()); };
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.num_waits >= 8; }));
  CHECK(world.plans.get().retries == 0);
  REQUIRE(tries.size() >= 8);
  CHECK(tries[1] - tries[0] < std::chrono::seconds(3));
  CHECK(tries[7] - tries[6] > std::chrono::seconds(20));
}

TEST_CASE("A plan waits for a node however long it takes, says why, and has all its tries afterwards", "[planning]") {
  World world;
  world.settings.retry_limit = 1;
  std::atomic<int> num_tries{0};
  world.type->on_plan = [&](plugin::PlanContext&) {
    if (++num_tries == 1) throw Exception(ErrorCode::kPluginFailed, "transient");
  };
  {
    const std::lock_guard lock(world.nodes.mutex);
    world.nodes.nodes.clear();
  }
  const auto service = world.start();
  REQUIRE(world.runUntil([&] { return world.plans.num_waits > 3; }));
  CHECK(world.plans.get().error == "no node is alive");
  CHECK(world.plans.get().retries == 0);
  CHECK_FALSE(world.plans.get().failed);
  world.nodes.add("c");
  REQUIRE(world.runUntil([&] { return world.plans.get().complete; }));
  CHECK(world.plans.nodesOfRows() == "cccccc");
}
