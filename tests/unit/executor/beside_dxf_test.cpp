// What a Manager does beside a live TiDB: rows that TiDB's own executor began, and tasks of types that only others
// have.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;
using proto::TaskState;

namespace {

struct BesideWorld : World {
  BesideWorld() { settings.beside_dxf = true; }
};

struct Beside {
  BesideWorld world;
  storage::MemoryTaskTable shared{world.rows, /*shared_with_dxf=*/true};
  Blocker blocker;
  ManagedNode parts{world};
  executor::Manager manager{
      world.settings, {shared, parts.registry, world.clock, world.timers, parts.ctl, parts.work, world.lease}};

  Beside() { parts.offer(); }
  ~Beside() { blocker.letGo(); }
  void block() {
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
  }
  /// Adds a task of a type that nobody here has, with a pending row.
  proto::SubtaskId addForeign(std::int32_t slots, std::int32_t priority) {
    const auto task = world.addTask(slots, priority);
    world.rows.change([&](auto& data) { data.tasks[task].type = "backfill"; });
    return world.addSubtask(task);
  }
  /// Adds a row that TiDB's own executor began, and that TiDB has moved here.
  proto::SubtaskId addUnmarked(proto::TaskId task) {
    const auto id = world.addSubtask(task);
    world.rows.change([&](auto& data) {
      data.subtasks[id].state = SubtaskState::kRunning;
      data.subtasks[id].start_time = 1;
    });
    return id;
  }
  [[nodiscard]] std::int64_t numSkipped() { return manager.node().counters.unknown_types; }
  /// Polls on until each of so many polls has passed the foreign task by.
  bool pollOn(std::int64_t polls) {
    const auto until = numSkipped() + polls;
    return world.runUntil([&] { return numSkipped() >= until; });
  }
};

}  // namespace

TEST_CASE(
    "Beside TiDB a row that its executor began runs again here, where its type allows it", "[executor][manager]"
) {
  Beside beside;
  const auto task = beside.world.addTask();
  const auto id = beside.addUnmarked(task);
  beside.manager.start();
  REQUIRE(beside.world.runUntil([&] { return beside.world.state(id) == SubtaskState::kSucceed; }));
  CHECK(beside.world.script.count("run 1") == 1);
  CHECK(beside.world.rows.attempt(id).abnormal_ends == 0);
  CHECK(beside.manager.node().counters.orphans == 1);
}

TEST_CASE(
    "Beside TiDB a row that its executor began fails here, where its type refuses a second run", "[executor][manager]"
) {
  Beside beside;
  beside.world.script.is_idempotent = [](const proto::Subtask& row) {
    if (row.type != "t") throw Exception(ErrorCode::kPluginFailed, "not as it was read");
    return row.ordinal != 2;
  };
  const auto task = beside.world.addTask();
  const auto first = beside.addUnmarked(task);
  const auto second = beside.addUnmarked(task);
  beside.manager.start();
  REQUIRE(beside.world.runUntil([&] { return beside.world.state(first) == SubtaskState::kSucceed; }));
  CHECK(beside.world.state(second) == SubtaskState::kFailed);
  CHECK(beside.world.rows.subtask(second)->error == "subtask in running state and is not idempotent");
  CHECK(beside.world.rows.subtask(second)->end_time == 0);  // as TiDB leaves it
  CHECK(beside.world.script.count("run 2") == 0);
}

TEST_CASE("Beside TiDB a row that its executor began reaches a task that runs here already", "[executor][manager]") {
  Beside beside;
  beside.block();
  const auto task = beside.world.addTask();
  beside.world.addSubtask(task);
  beside.manager.start();
  REQUIRE(beside.world.runUntil([&] { return beside.blocker.numWaiting() == 1; }));
  const auto moved = beside.addUnmarked(task);
  REQUIRE(beside.world.runUntil([&] { return beside.world.state(moved) == SubtaskState::kPending; }));
}

TEST_CASE("Beside TiDB rows that its executor began wait while the task has no slots here", "[executor][manager]") {
  Beside beside;
  beside.block();
  const auto busy = beside.world.addTask(16, 1);
  beside.world.addSubtask(busy);
  beside.manager.start();
  REQUIRE(beside.world.runUntil([&] { return beside.blocker.numWaiting() == 1; }));
  const auto moved = beside.addUnmarked(beside.world.addTask(1, 2));
  const auto polls = beside.manager.numPolls();
  REQUIRE(beside.world.runUntil([&] { return beside.manager.numPolls() > polls + 3; }));
  CHECK(beside.world.state(moved) == SubtaskState::kRunning);
  CHECK(beside.manager.node().counters.orphans == 0);
}

TEST_CASE(
    "Beside TiDB a pausing task pauses rows that its executor began, whatever its type says", "[executor][manager]"
) {
  Beside beside;
  beside.world.script.is_idempotent = [](const proto::Subtask&) { return false; };
  const auto task = beside.world.addTask();
  const auto id = beside.addUnmarked(task);
  beside.world.setTaskState(task, TaskState::kPausing);
  beside.manager.start();
  REQUIRE(beside.world.runUntil([&] { return beside.world.state(id) == SubtaskState::kPaused; }));
  CHECK(beside.world.rows.subtask(id)->error.empty());
}

TEST_CASE("Beside TiDB no running row of a type that is not offered here is touched", "[executor][manager]") {
  Beside beside;
  const auto pending = beside.addForeign(1, 1);
  const auto task = beside.world.rows.subtask(pending)->task_id;
  const auto unmarked = beside.addUnmarked(task);
  const auto once = beside.world.addOrphan(task, false);
  beside.manager.start();
  REQUIRE(beside.pollOn(5));
  CHECK(beside.world.state(pending) == SubtaskState::kPending);
  CHECK(beside.world.state(unmarked) == SubtaskState::kRunning);
  CHECK(beside.world.state(once) == SubtaskState::kRunning);
  CHECK(beside.world.rows.numCalls("takeOrphans") == 0);
}

TEST_CASE(
    "A task of a foreign type takes no slot from tasks of ours, whatever its rank and size", "[executor][manager]"
) {
  Beside beside;
  beside.block();
  SECTION("it outranks what fills the node") {
    beside.world.addSubtask(beside.world.addTask(16, 100));
    beside.manager.start();
    REQUIRE(beside.world.runUntil([&] { return beside.blocker.numWaiting() == 1; }));
    beside.addForeign(16, 1);
    REQUIRE(beside.pollOn(5));
    CHECK(beside.blocker.numWaiting() == 1);
    CHECK(beside.world.log.count("need to preempt tasks of low ranking") == 0);
    CHECK(beside.manager.tasks().size() == 1);
  }
  SECTION("it outranks one that has borrowed slots") {
    beside.parts.offer({.parallel_subtasks = 0}, "wide");
    const auto wide = beside.world.addTask(4, 100);
    beside.world.rows.change([&](auto& data) { data.tasks[wide].type = "wide"; });
    beside.world.addSubtasks(wide, 4);
    beside.manager.start();
    REQUIRE(beside.world.runUntil([&] { return beside.blocker.numWaiting() == 4; }));
    beside.addForeign(4, 1);
    REQUIRE(beside.pollOn(5));
    CHECK(beside.blocker.numWaiting() == 4);
    CHECK_FALSE(beside.manager.node().slots.isWaiting());
  }
  SECTION("it is larger than the node") {
    beside.addForeign(17, 1);
    beside.manager.start();
    REQUIRE(beside.pollOn(5));
    CHECK_FALSE(beside.manager.node().slots.isWaiting());
    beside.world.addSubtask(beside.world.addTask(16, 2));
    CHECK(beside.world.runUntil([&] { return beside.blocker.numWaiting() == 1; }));
  }
}
