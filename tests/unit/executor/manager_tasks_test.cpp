// A task's ways through the Manager while it runs: modified, paused and resumed, idle.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;
using proto::TaskState;

namespace {

struct Tasks {
  World world;
  Blocker blocker;
  ManagedNode node{world};

  Tasks() {
    node.offer();
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
  }
  ~Tasks() { blocker.letGo(); }
  bool pass(runtime::Duration time) {
    const auto begin = world.clock.now();
    return world.runUntil([&] { return world.clock.now() - begin > time; });
  }
  bool waitForRuns(int count) {
    return world.runUntil([&] { return blocker.numWaiting() == count; });
  }
  [[nodiscard]] bool runs(proto::TaskId task) const {
    const auto tasks = node.manager.tasks();
    return std::find(tasks.begin(), tasks.end(), task) != tasks.end();
  }
  [[nodiscard]] std::int32_t available() { return node.manager.node().slots.available(); }
};

}  // namespace

TEST_CASE("A task that is being modified keeps its executor and its run", "[executor][manager][modify]") {
  Tasks tasks;
  const auto task = tasks.world.addTask(4);
  const auto id = tasks.world.addSubtask(task);
  tasks.node.manager.start();
  REQUIRE(tasks.waitForRuns(1));
  tasks.world.setTaskState(task, TaskState::kModifying);
  REQUIRE(tasks.pass(15s));  // beyond the idle exit
  CHECK(tasks.runs(task));
  CHECK(tasks.blocker.numWaiting() == 1);
  CHECK(tasks.available() == 12);
  tasks.world.setTaskState(task, TaskState::kRunning);
  REQUIRE(tasks.pass(3s));
  CHECK(tasks.world.log.count("task executor started") == 1);
  tasks.blocker.letGo();
  CHECK(tasks.world.runUntil([&] { return tasks.world.state(id) == SubtaskState::kSucceed; }));
}

TEST_CASE("Slots that a modified task gives back go to a task that waits", "[executor][manager][modify]") {
  Tasks tasks;
  const auto large = tasks.world.addTask(16, 1);
  const auto waiting = tasks.world.addTask(8, 2);
  tasks.world.addSubtask(large);
  tasks.world.addSubtask(waiting);
  tasks.node.manager.start();
  REQUIRE(tasks.waitForRuns(1));
  REQUIRE(tasks.pass(5s));
  CHECK_FALSE(tasks.runs(waiting));
  tasks.world.rows.change([&](auto& data) { data.tasks[large].slots = 8; });
  REQUIRE(tasks.waitForRuns(2));
  CHECK(tasks.runs(large));
  CHECK(tasks.runs(waiting));
  CHECK(tasks.available() == 0);
}

TEST_CASE("A task that was paused and resumed runs the same row again", "[executor][manager]") {
  Tasks tasks;
  const auto task = tasks.world.addTask();
  const auto id = tasks.world.addSubtask(task);
  tasks.node.manager.start();
  REQUIRE(tasks.waitForRuns(1));
  tasks.world.setTaskState(task, TaskState::kPausing);
  REQUIRE(tasks.world.runUntil([&] { return tasks.world.state(id) == SubtaskState::kPaused; }));
  tasks.world.setTaskState(task, TaskState::kPaused);
  REQUIRE(tasks.world.runUntil([&] { return tasks.node.manager.tasks().empty(); }));
  REQUIRE(tasks.pass(5s));
  CHECK(tasks.blocker.numWaiting() == 0);
  tasks.world.rows.change([&](auto& data) {
    data.subtasks[id].state = SubtaskState::kPending;
    data.tasks[task].state = TaskState::kRunning;
  });
  REQUIRE(tasks.waitForRuns(1));
  tasks.blocker.letGo();
  REQUIRE(tasks.world.runUntil([&] { return tasks.world.state(id) == SubtaskState::kSucceed; }));
  CHECK(tasks.world.rows.attempt(id).abnormal_ends == 0);
  CHECK(tasks.world.rows.attempt(id).retries == 0);
}

TEST_CASE("An idle task's slots go to a task that waits after the idle time, not before", "[executor][manager]") {
  Tasks tasks;
  tasks.blocker.letGo();
  const auto idle = tasks.world.addTask(16, 1);
  const auto first = tasks.world.addSubtask(idle);
  tasks.node.manager.start();
  REQUIRE(tasks.world.runUntil([&] { return tasks.world.state(first) == SubtaskState::kSucceed; }));
  const auto begin = tasks.world.clock.now();
  const auto waiting = tasks.world.addSubtask(tasks.world.addTask(16, 2));
  REQUIRE(tasks.world.runUntil([&] { return tasks.world.state(waiting) == SubtaskState::kSucceed; }, 20ms));
  CHECK(tasks.world.clock.now() - begin >= 5s);
  CHECK(tasks.world.clock.now() - begin < 20s);
}

TEST_CASE("The idle time after which an executor ends is a setting", "[executor][run]") {
  World world;
  world.settings.idle_exit = 3s;
  executor::NodeServices node{world.settings, world.clock, world.lease};
  const auto task = world.addTask();
  RunningExecutor running(world, node, task);
  const auto begin = world.clock.now();
  running.start();
  REQUIRE(world.runUntil([&] { return running.returned(); }, 10ms));
  CHECK(world.clock.now() - begin >= 3s);
  CHECK(world.clock.now() - begin < 9s);
}

TEST_CASE("A summary that the store did not take is written at the next interval", "[executor][ends]") {
  Tasks tasks;
  tasks.world.script.run = [&](auto& context, auto&) {
    context.addProgress(7, 0, 0);
    tasks.blocker.wait(context);
  };
  const auto id = tasks.world.addSubtask(tasks.world.addTask());
  tasks.world.rows.inject({.method = "updateSubtaskSummary", .times = 2});
  const auto begin = tasks.world.clock.now();
  tasks.node.manager.start();
  REQUIRE(tasks.world.runUntil([&] { return proto::parseSummary(tasks.world.rows.subtask(id)->summary).row_count == 7; }
  ));
  CHECK(tasks.world.clock.now() - begin >= 9s);  // the third of one in three seconds
  CHECK(tasks.world.state(id) == SubtaskState::kRunning);
}
