// The run loop of a task executor: the task row, steps, the queue, idle exit.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;
using proto::TaskState;
using Strings = std::vector<std::string>;

namespace {

/// A world with one task and one executor of it.
struct Loop {
  World world;
  proto::TaskId task = world.addTask();
  executor::NodeServices node{world.settings, world.clock, world.lease};

  bool runToEnd(RunningExecutor& running) {
    running.start();
    return world.runUntil([&] { return running.returned(); }, 100ms);
  }
};

const Error kBroken{ErrorCode::kPluginFailed, "broken"};

}  // namespace

TEST_CASE("A cancelled executor returns without asking the store", "[executor][run]") {
  Loop loop;
  loop.world.addSubtask(loop.task);
  RunningExecutor running(loop.world, loop.node, loop.task);
  running->cancel();
  REQUIRE(loop.runToEnd(running));
  CHECK(loop.world.rows.calls().empty());
}

TEST_CASE("An executor returns when its task is gone or not running", "[executor][run]") {
  Loop loop;
  const auto state = GENERATE(
      TaskState::kSucceed,
      TaskState::kReverting,
      TaskState::kPaused,
      TaskState::kCancelling,
      TaskState::kFailed,
      TaskState::kPending
  );
  const auto vanished = GENERATE(false, true);
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  REQUIRE(loop.world.runUntil([&] { return loop.world.rows.numCalls("getSubtasksByExecIdAndStepAndStates") > 0; }));
  loop.world.rows.change([&](auto& data) {
    if (vanished) {
      data.tasks.erase(loop.task);
    } else {
      data.tasks[loop.task].state = state;
    }
  });
  const auto before = loop.world.clock.now();
  REQUIRE(loop.world.runUntil([&] { return running.returned(); }));
  CHECK(loop.world.clock.now() - before < 5s);  // not by idle exit
}

TEST_CASE("A task that is being modified keeps running", "[executor][run]") {
  Loop loop;
  loop.world.setTaskState(loop.task, TaskState::kModifying);
  const auto id = loop.world.addSubtask(loop.task);
  RunningExecutor running(loop.world, loop.node, loop.task);
  REQUIRE(loop.runToEnd(running));
  CHECK(loop.world.state(id) == SubtaskState::kSucceed);
}

TEST_CASE("Failed reads of the task and of subtasks are tried again", "[executor][run]") {
  Loop loop;
  loop.world.rows.inject({.method = "getSubtasksByExecIdAndStepAndStates", .times = 3});
  loop.world.rows.inject({.method = "getTaskBaseById", .times = 2});
  const auto id = loop.world.addSubtask(loop.task);
  RunningExecutor running(loop.world, loop.node, loop.task);
  REQUIRE(loop.runToEnd(running));
  CHECK(loop.world.state(id) == SubtaskState::kSucceed);
}

TEST_CASE("Subtasks run in order by one step executor, which is cleaned up at idle exit", "[executor][run]") {
  Loop loop;
  loop.world.addSubtasks(loop.task, 5);
  RunningExecutor running(loop.world, loop.node, loop.task);
  REQUIRE(loop.runToEnd(running));
  CHECK(
      loop.world.script.events() ==
      Strings{
          "make 1",
          "init 1/1",
          "run 1",
          "finished 1",
          "run 2",
          "finished 2",
          "run 3",
          "finished 3",
          "run 4",
          "finished 4",
          "run 5",
          "finished 5",
          "cleanup 1/1"}
  );
  CHECK(loop.world.numInState(loop.task, SubtaskState::kSucceed) == 5);
}

TEST_CASE(
    "An executor without a subtask exits after ten seconds and about eight looks, without a step executor",
    "[executor][run]"
) {
  Loop loop;
  RunningExecutor running(loop.world, loop.node, loop.task);
  const auto begin = loop.world.clock.now();
  REQUIRE(loop.runToEnd(running));
  const auto took = loop.world.clock.now() - begin;
  CHECK(took >= 10s);
  CHECK(took < 13s);
  const auto looks = loop.world.rows.numCalls("getSubtasksByExecIdAndStepAndStates");
  CHECK(looks >= 7);
  CHECK(looks <= 9);
  CHECK(loop.world.script.events().empty());
}

TEST_CASE("A late subtask starts the idle time anew", "[executor][run]") {
  Loop loop;
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  const auto begin = loop.world.clock.now();
  REQUIRE(loop.world.runUntil([&] { return loop.world.clock.now() - begin >= 6s; }));
  const auto id = loop.world.addSubtask(loop.task);
  REQUIRE(loop.world.runUntil([&] { return loop.world.state(id) == SubtaskState::kSucceed; }));
  const auto done = loop.world.clock.now();
  REQUIRE(loop.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(loop.world.clock.now() - done >= 9s);
}

TEST_CASE("A nudge makes an idle executor look at once", "[executor][run]") {
  Loop loop;
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  REQUIRE(loop.world.runUntil([&] { return loop.world.rows.numCalls("getSubtasksByExecIdAndStepAndStates") >= 3; }));
  const auto id = loop.world.addSubtask(loop.task);
  running->nudge();
  CHECK(eventually([&] { return loop.world.state(id) == SubtaskState::kSucceed; }));  // the clock stands still
}

TEST_CASE("Run can be called again after an idle exit", "[executor][run]") {
  Loop loop;
  RunningExecutor running(loop.world, loop.node, loop.task);
  for (int round = 1; round <= 2; ++round) {
    loop.world.setStep(loop.task, proto::Step(round));
    loop.world.addSubtasks(loop.task, 3, proto::Step(round));
    REQUIRE(loop.runToEnd(running));
    CHECK(loop.world.numInState(loop.task, SubtaskState::kSucceed) == 3 * round);
  }
}

TEST_CASE("A step change cleans the step executor up and makes another", "[executor][run]") {
  Loop loop;
  loop.world.script.step_cleanup = [] { throw Exception(kBroken); };  // only logged
  loop.world.addSubtasks(loop.task, 2);
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  REQUIRE(loop.world.runUntil([&] { return loop.world.numInState(loop.task, SubtaskState::kSucceed) == 2; }));
  loop.world.addSubtask(loop.task, kStepTwo);
  loop.world.setStep(loop.task, kStepTwo);
  REQUIRE(loop.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(
      loop.world.script.events() ==
      Strings{
          "make 1",
          "init 1/1",
          "run 1",
          "finished 1",
          "run 2",
          "finished 2",
          "cleanup 1/1",
          "make 2",
          "init 2/1",
          "run 1",
          "finished 1",
          "cleanup 2/1"}
  );
  CHECK(loop.world.log.count("cleanup of a step failed") == 2);
}

TEST_CASE("A step executor that cannot be made fails one subtask with that text", "[executor][run]") {
  Loop loop;
  const auto id = loop.world.addSubtask(loop.task);
  loop.world.script.make_step = [] { throw Exception(kBroken); };
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  REQUIRE(loop.world.runUntil([&] { return loop.world.state(id) == SubtaskState::kFailed; }));
  CHECK_THAT(loop.world.rows.subtask(id)->error, Catch::Matchers::Contains("broken"));
  loop.world.setTaskState(loop.task, TaskState::kReverting);
  CHECK(loop.world.runUntil([&] { return running.returned(); }));
}

TEST_CASE("A step whose init fails for good fails one subtask and is not cleaned up", "[executor][run]") {
  Loop loop;
  const auto id = loop.world.addSubtask(loop.task);
  loop.world.script.step_init = [] { throw Exception(kBroken); };
  RunningExecutor running(loop.world, loop.node, loop.task);
  REQUIRE(loop.runToEnd(running));
  CHECK(loop.world.rows.subtask(id)->error == "broken");
  CHECK(loop.world.script.count("cleanup 1/1") == 0);
}

TEST_CASE("A step whose init fails for now is tried again and nothing is written", "[executor][run]") {
  Loop loop;
  const auto id = loop.world.addSubtask(loop.task);
  std::atomic<int> left{2};
  loop.world.script.step_init = [&] {
    if (left-- > 0) throw Exception(Error(ErrorCode::kPluginFailed, Reaction::kRetry, "not yet"));
  };
  RunningExecutor running(loop.world, loop.node, loop.task);
  REQUIRE(loop.runToEnd(running));
  CHECK(loop.world.state(id) == SubtaskState::kSucceed);
  CHECK(loop.world.rows.numCalls("failSubtask") == 0);
  CHECK(loop.world.script.count("init 1/1") == 3);
}

TEST_CASE("A start that finds the row moved away runs nothing and writes nothing", "[executor][run]") {
  Loop loop;
  const auto blocked = loop.world.addSubtask(loop.task);
  const auto moved = loop.world.addSubtask(loop.task);
  Blocker blocker;
  loop.world.script.run = [&](auto& context, auto& subtask) {
    if (subtask.id == blocked) blocker.wait(context);
  };
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  REQUIRE(loop.world.runUntil([&] { return blocker.numWaiting() == 1; }));
  loop.world.rows.change([&](auto& data) { data.subtasks[moved].exec_id = "node-b"; });
  blocker.letGo();
  REQUIRE(loop.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(loop.world.state(moved) == SubtaskState::kPending);
  CHECK(loop.world.script.count("run 2") == 0);
}

TEST_CASE("A start that fails in the store is tried again in its slot", "[executor][run]") {
  Loop loop;
  loop.world.rows.inject({.method = "startSubtask", .times = 3});
  const auto id = loop.world.addSubtask(loop.task);
  RunningExecutor running(loop.world, loop.node, loop.task);
  REQUIRE(loop.runToEnd(running));
  CHECK(loop.world.state(id) == SubtaskState::kSucceed);
  CHECK(loop.world.script.count("run 1") == 1);
}

TEST_CASE("An executor gives its slots up when nothing can be started for the whole retry window", "[executor][run]") {
  Loop loop;
  loop.world.rows.inject({.method = "startSubtask", .times = 1'000'000});
  const auto id = loop.world.addSubtask(loop.task);
  RunningExecutor running(loop.world, loop.node, loop.task);
  const auto begin = loop.world.clock.now();
  REQUIRE(loop.runToEnd(running));
  CHECK(loop.world.clock.now() - begin >= 30s);
  CHECK(loop.world.clock.now() - begin < 40s);
  CHECK(loop.world.state(id) == SubtaskState::kPending);
}

TEST_CASE(
    "While a run goes on an executor keeps trying beyond the retry window, and goes on when it may", "[executor][run]"
) {
  Loop loop;
  Blocker blocker;
  const auto blocked = loop.world.addSubtask(loop.task);
  loop.world.script.run = [&](auto& context, auto& subtask) {
    if (subtask.id == blocked) blocker.wait(context);
  };
  plugin::TaskTypeOptions options;
  options.parallel_subtasks = 2;
  RunningExecutor running(loop.world, loop.node, loop.task, options);
  running.start();
  REQUIRE(loop.world.runUntil([&] { return blocker.numWaiting() == 1; }));
  loop.world.rows.inject({.method = "startSubtask", .times = 1'000'000});
  const auto id = loop.world.addSubtask(loop.task);
  const auto begin = loop.world.clock.now();
  REQUIRE(loop.world.runUntil([&] { return loop.world.clock.now() - begin > 45s; }, 100ms));
  CHECK(loop.world.state(id) == SubtaskState::kPending);
  loop.world.rows.clearFaults();
  REQUIRE(loop.world.runUntil([&] { return loop.world.state(id) == SubtaskState::kSucceed; }, 100ms));
  CHECK(blocker.numWaiting() == 1);
  blocker.letGo();
}

TEST_CASE("A start that waits for the store is given up when the executor drains", "[executor][run]") {
  Loop loop;
  const auto id = loop.world.addSubtask(loop.task);
  loop.world.rows.inject({.method = "startSubtask", .times = 1'000'000});
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  REQUIRE(loop.world.runUntil([&] { return loop.world.rows.numCalls("startSubtask") >= 2; }));
  running->drain();
  REQUIRE(loop.world.clock.comeToRest());
  loop.world.rows.clearFaults();
  REQUIRE(loop.world.runUntil([&] { return running.returned(); }));
  CHECK(loop.world.state(id) == SubtaskState::kPending);
  CHECK(loop.world.script.count("run 1") == 0);
}

TEST_CASE("An executor starts nothing while the lease is in doubt, and goes on after", "[executor][run]") {
  Loop loop;
  loop.world.lease.open = false;
  const auto id = loop.world.addSubtask(loop.task);
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  const auto begin = loop.world.clock.now();
  REQUIRE(loop.world.runUntil([&] { return loop.world.clock.now() - begin > 4s; }));
  CHECK(loop.world.state(id) == SubtaskState::kPending);
  loop.world.lease.open = true;
  CHECK(loop.world.runUntil([&] { return loop.world.state(id) == SubtaskState::kSucceed; }));
}

TEST_CASE("A start that is confirmed when the lease is over is given back and not run", "[executor][run]") {
  Loop loop;
  const auto id = loop.world.addSubtask(loop.task);
  loop.world.script.is_idempotent = [](const auto&) { return false; };  // no matter: it has not begun
  loop.world.rows.afterCall("startSubtask", [&] { loop.world.lease.open = false; });
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  REQUIRE(loop.world.runUntil([&] { return loop.world.rows.numCalls("giveBackSubtask") == 1; }));
  CHECK(loop.world.runUntil([&] { return loop.world.state(id) == SubtaskState::kPending; }));
  CHECK(loop.world.script.count("run 1") == 0);
}

TEST_CASE("The owner is told once that the queue ran dry", "[executor][run]") {
  Loop loop;
  std::atomic<int> told{0};
  loop.node.on_queue_dry = [&](proto::TaskId) { ++told; };
  loop.world.addSubtasks(loop.task, 3);
  RunningExecutor running(loop.world, loop.node, loop.task);
  REQUIRE(loop.runToEnd(running));
  CHECK(told == 1);
}

TEST_CASE("A long queue is read in pieces and runs without waiting for a poll", "[executor][run]") {
  Loop loop;
  loop.world.addSubtasks(loop.task, 350);
  RunningExecutor running(loop.world, loop.node, loop.task);
  running.start();
  const auto begin = loop.world.clock.now();
  REQUIRE(loop.world.runUntil([&] { return loop.world.numInState(loop.task, SubtaskState::kSucceed) == 350; }, 1ms));
  CHECK(loop.world.rows.numCalls("getSubtasksByExecIdAndStepAndStates") < 10);
  static_cast<void>(begin);
}
