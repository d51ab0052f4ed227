// A Manager that is told of the node's polls (design rule 17).
#include "told_manager.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

struct Fed {
  World world;
  std::atomic<int> asked{0};
  ToldManager told{world, [this] { ++asked; }};
  executor::Manager& manager = told.manager;

  /// What a poll would show now.
  storage::NodePoll look() {
    storage::NodePoll seen;
    if (const auto meta = world.rows.meta(kNode)) seen.meta_slots = meta->slots;
    world.rows.change([&](auto& data) {
      for (const auto& [id, row] : data.subtasks) {
        seen.has_subtasks =
            seen.has_subtasks || row.state == SubtaskState::kPending || row.state == SubtaskState::kRunning;
      }
    });
    return seen;
  }
};

}  // namespace

TEST_CASE("A Manager with a poll loop beside it asks for a poll and makes none itself", "[executor][manager]") {
  Fed fed;
  CHECK_FALSE(fed.manager.takePoll(fed.look()));  // not started
  fed.manager.start();
  CHECK(fed.asked == 1);
  fed.world.clock.advance(60s);
  CHECK(fed.manager.numPolls() == 0);
  fed.manager.nudge();
  CHECK(fed.asked == 2);
}

TEST_CASE("A poll that shows no rows asks nothing more of the store", "[executor][manager]") {
  Fed fed;
  fed.manager.initMeta();
  fed.manager.start();
  const auto task = fed.world.addTask();
  auto seen = fed.look();
  fed.world.addSubtask(task);
  // Any call would fail, and be counted.
  fed.world.rows.inject({.method = "getTaskExecInfoByExecId"});
  fed.world.rows.inject({.method = "recoverMeta"});
  CHECK_FALSE(fed.manager.takePoll(seen));
  CHECK(fed.manager.node().counters.store_errors == 0);
  seen = fed.look();
  CHECK(fed.manager.takePoll(seen));
  CHECK(fed.manager.node().counters.store_errors == 1);
  CHECK(fed.manager.takePoll(seen));
  CHECK(fed.world.runUntil([&] { return fed.world.numInState(task, SubtaskState::kSucceed) == 1; }));
}

TEST_CASE("A poll that shows no row of dist_framework_meta, or other slots, puts it right", "[executor][manager]") {
  Fed fed;
  fed.manager.start();
  CHECK_FALSE(fed.world.rows.meta(kNode));
  fed.manager.takePoll(fed.look());
  REQUIRE(fed.world.rows.meta(kNode));
  const auto slots = fed.world.rows.meta(kNode)->slots;
  fed.world.rows.change([](auto& data) { data.metas.begin()->second.slots = 1; });
  fed.manager.takePoll(fed.look());
  CHECK(fed.world.rows.meta(kNode)->slots == slots);
  fed.world.rows.change([](auto& data) { data.metas.clear(); });
  fed.manager.takePoll(fed.look());
  CHECK(fed.world.rows.meta(kNode));
}

TEST_CASE("After a stop polls start nothing", "[executor][manager]") {
  Fed fed;
  fed.manager.start();
  const auto task = fed.world.addTask();
  const auto id = fed.world.addSubtask(task);
  fed.manager.stop();
  CHECK_FALSE(fed.manager.takePoll(fed.look()));
  CHECK(fed.world.state(id) == SubtaskState::kPending);
  CHECK(fed.manager.tasks().empty());
}

TEST_CASE(
    "Tasks with a row that somebody holds keep those behind them waiting for one poll only", "[executor][manager][feed]"
) {
  World world;
  ToldManager told(world);
  proto::TaskId last;
  for (int i = 0; i < 3; ++i) {
    last = world.addTask(1, i + 1);
    world.addSubtask(last);
  }
  told.manager.start();
  storage::NodePoll seen;
  seen.meta_slots = world.settings.slots;
  seen.has_subtasks = true;
  const Error held(ErrorCode::kTimedOut, "a row is held");
  world.rows.inject({.method = "takeOrphans", .times = 2, .error = held});
  told.manager.takePoll(seen);
  CHECK(told.manager.tasks().empty());
  world.rows.inject({.method = "takeOrphans", .nth = 2, .times = 2, .error = held});
  told.manager.takePoll(seen);
  REQUIRE(told.manager.tasks().size() == 1);
  CHECK(told.manager.tasks().front() == last);
}

TEST_CASE(
    "A poll leaves the other tasks when the store is gone for two of them, and goes on after conflicts",
    "[executor][manager][feed]"
) {
  World world;
  ToldManager told(world);
  for (int i = 0; i < 3; ++i) world.addSubtask(world.addTask());
  told.manager.start();
  const auto code = GENERATE(ErrorCode::kStoreUnavailable, ErrorCode::kStoreConflict, ErrorCode::kTimedOut);
  world.rows.inject({.method = "takeOrphans", .times = 1'000'000, .error = Error(code, "no")});
  storage::NodePoll seen;
  seen.meta_slots = world.settings.slots;
  seen.has_subtasks = true;
  told.manager.takePoll(seen);
  CHECK(world.rows.numCalls("takeOrphans") == (code == ErrorCode::kStoreConflict ? 3 : 2));
}
