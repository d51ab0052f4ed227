// Several subtasks of one task at a time.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

struct ManyRuns {
  World world;
  proto::TaskId task = world.addTask();
  executor::NodeServices node{world.settings, world.clock, world.lease};
  Blocker blocker;
  ManyRuns() {
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
  }
  bool pass(runtime::Duration time) {
    const auto begin = world.clock.now();
    return world.runUntil([&] { return world.clock.now() - begin > time; });
  }
};

plugin::TaskTypeOptions parallel(std::int32_t count) {
  plugin::TaskTypeOptions options;
  options.parallel_subtasks = count;
  return options;
}

}  // namespace

TEST_CASE("As many subtasks run at a time as the type says, by one step executor", "[executor][parallel]") {
  ManyRuns many;
  many.world.addSubtasks(many.task, 10);
  RunningExecutor running(many.world, many.node, many.task, parallel(4));
  running.start();
  REQUIRE(many.world.runUntil([&] { return many.blocker.numWaiting() == 4; }));
  REQUIRE(many.pass(3s));
  CHECK(many.blocker.numWaiting() == 4);
  CHECK(many.world.numInState(many.task, SubtaskState::kRunning) == 4);
  many.blocker.letGo();
  REQUIRE(many.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(many.world.numInState(many.task, SubtaskState::kSucceed) == 10);
  CHECK(many.world.script.count("make 1") == 1);
}

TEST_CASE("Automatic parallelism borrows only free slots, and none while a task waits", "[executor][parallel]") {
  ManyRuns many;
  many.world.addSubtasks(many.task, 20);
  auto other = *many.world.rows.task(many.world.addTask(12));
  REQUIRE(many.node.slots.alloc(other));  // 16 - 1 - 12: three are left to borrow
  RunningExecutor running(many.world, many.node, many.task, parallel(0));
  running.start();
  const bool four = many.world.runUntil([&] { return many.blocker.numWaiting() == 4; });
  CAPTURE(
      many.blocker.numWaiting(), many.node.slots.available(), many.world.numInState(many.task, SubtaskState::kRunning)
  );
  REQUIRE(four);
  REQUIRE(many.pass(3s));
  CHECK(many.blocker.numWaiting() == 4);
  many.node.slots.free(other.id);
  CHECK(many.world.runUntil([&] { return many.blocker.numWaiting() == 16; }));
  many.blocker.letGo();
  CHECK(many.world.runUntil([&] { return running.returned(); }, 100ms));
}

TEST_CASE("What may not run twice never runs on borrowed slots", "[executor][parallel]") {
  ManyRuns many;
  many.world.script.is_idempotent = [](const auto& subtask) { return subtask.ordinal > 3; };
  const auto ids = many.world.addSubtasks(many.task, 5);
  RunningExecutor running(many.world, many.node, many.task, parallel(4));
  running.start();
  REQUIRE(many.world.runUntil([&] { return many.blocker.numWaiting() == 3; }));
  REQUIRE(many.pass(3s));
  CHECK(many.blocker.numWaiting() == 3);
  CHECK(many.world.state(ids[3]) == SubtaskState::kRunning);
  CHECK(many.world.state(ids[4]) == SubtaskState::kRunning);
  CHECK(many.world.numInState(many.task, SubtaskState::kPending) == 2);
}

TEST_CASE("A subtask that ended its node twice runs alone", "[executor][parallel]") {
  ManyRuns many;
  const auto ids = many.world.addSubtasks(many.task, 4);
  many.world.rows.change([&](auto& data) {
    data.attempts[ids[1]].abnormal_ends = 2;
    data.subtasks[ids[1]].start_time = 1;
  });
  std::atomic<int> others{0};
  std::atomic<int> beside{0};
  many.world.script.run = [&](auto& context, auto& subtask) {
    if (subtask.id == ids[1]) {
      for (int i = 0; i < 20; ++i) {
        beside += others;
        context.sleepFor(10ms);
      }
    } else {
      ++others;
      context.sleepFor(100ms);
      --others;
    }
  };
  RunningExecutor running(many.world, many.node, many.task, parallel(4));
  running.start();
  REQUIRE(many.world.runUntil([&] { return many.world.numInState(many.task, SubtaskState::kSucceed) == 4; }, 5ms));
  CHECK(beside == 0);
}

TEST_CASE("One run is cancelled without the others when only its row was moved", "[executor][parallel]") {
  ManyRuns many;
  const auto ids = many.world.addSubtasks(many.task, 3);
  RunningExecutor running(many.world, many.node, many.task, parallel(3));
  running.start();
  REQUIRE(many.world.runUntil([&] { return many.blocker.numWaiting() == 3; }));
  many.world.rows.change([&](auto& data) { data.subtasks[ids[1]].exec_id = "node-b"; });
  REQUIRE(many.world.runUntil([&] { return many.blocker.numWaiting() == 2; }));
  CHECK(many.world.state(ids[0]) == SubtaskState::kRunning);
  many.blocker.letGo();
  REQUIRE(many.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(many.world.state(ids[0]) == SubtaskState::kSucceed);
  CHECK(many.world.state(ids[2]) == SubtaskState::kSucceed);
}
