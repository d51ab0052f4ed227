// The life of step executors: made, told, used for each subtask of their step in turn, cleaned up.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

struct Steps {
  World world;
  proto::TaskId task = world.addTask(/*slots=*/10);
  executor::NodeServices node{world.settings, world.clock, world.lease};
  Blocker blocker;

  bool runToEnd(RunningExecutor& running) {
    running.start();
    return world.runUntil([&] { return running.returned(); }, 100ms);
  }
};

}  // namespace

TEST_CASE("A row is running before its subtask begins and until the finished hook has returned", "[executor][steps]") {
  Steps steps;
  const auto id = steps.world.addSubtask(steps.task);
  std::vector<SubtaskState> seen;
  steps.world.script.run = [&](auto&, auto&) { seen.push_back(steps.world.state(id)); };
  steps.world.script.on_finished = [&](auto&, auto&) { seen.push_back(steps.world.state(id)); };
  RunningExecutor running(steps.world, steps.node, steps.task);
  REQUIRE(steps.runToEnd(running));
  CHECK(seen == std::vector{SubtaskState::kRunning, SubtaskState::kRunning});
  CHECK(steps.world.state(id) == SubtaskState::kSucceed);
}

TEST_CASE("Each step gets a step executor of its own, made once and cleaned up once", "[executor][steps]") {
  Steps steps;
  constexpr int kCounts[] = {5, 1, 3};
  RunningExecutor running(steps.world, steps.node, steps.task);
  int done = 0;
  for (int i = 0; i < 3; ++i) {
    const proto::Step step(i + 1);
    steps.world.addSubtasks(steps.task, kCounts[i], step);
    steps.world.setStep(steps.task, step);
    if (i == 0) running.start();
    done += kCounts[i];
    REQUIRE(steps.world.runUntil([&] { return steps.world.numInState(steps.task, SubtaskState::kSucceed) == done; }));
  }
  REQUIRE(steps.world.runUntil([&] { return running.returned(); }, 100ms));
  std::vector<std::string> life;
  for (const auto& event : steps.world.script.events()) {
    if (event.rfind("run", 0) != 0 && event.rfind("finished", 0) != 0) life.push_back(event);
  }
  CHECK(
      life ==
      std::vector<std::string>{
          "make 1",
          "init 1/10",
          "cleanup 1/10",
          "make 2",
          "init 2/10",
          "cleanup 2/10",
          "make 3",
          "init 3/10",
          "cleanup 3/10"}
  );
}

TEST_CASE("After a run was moved away the same step executor runs the next subtask", "[executor][steps]") {
  Steps steps;
  const auto ids = steps.world.addSubtasks(steps.task, 2);
  steps.world.script.run = [&](auto& context, auto& subtask) {
    if (subtask.id == ids[0]) steps.blocker.wait(context);
  };
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.world.runUntil([&] { return steps.blocker.numWaiting() == 1; }));
  steps.world.rows.change([&](auto& data) { data.subtasks[ids[0]].exec_id = "node-b"; });
  REQUIRE(steps.world.runUntil([&] { return steps.world.state(ids[1]) == SubtaskState::kSucceed; }));
  CHECK(steps.world.state(ids[0]) == SubtaskState::kRunning);
  CHECK(steps.world.script.count("make 1") == 1);
  CHECK(steps.world.script.count("cleanup 1/10") == 0);
}

TEST_CASE("A moved subtask's run is cancelled within one ownership check", "[executor][steps]") {
  Steps steps;
  const auto id = steps.world.addSubtask(steps.task);
  steps.world.script.run = [&](auto& context, auto&) { steps.blocker.wait(context); };
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.world.runUntil([&] { return steps.blocker.numWaiting() == 1; }));
  steps.world.rows.change([&](auto& data) { data.subtasks[id].exec_id = "node-b"; });
  const auto begin = steps.world.clock.now();
  REQUIRE(steps.world.runUntil([&] { return steps.blocker.numWaiting() == 0; }, 5ms));
  CHECK(steps.world.clock.now() - begin < 2 * steps.world.settings.ownership_check_interval);
}

TEST_CASE("Meta and slots that change together with the step reach only the next step executor", "[executor][steps]") {
  Steps steps;
  const auto first = steps.world.addSubtask(steps.task);
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.world.runUntil([&] { return steps.world.state(first) == SubtaskState::kSucceed; }));
  const auto second = steps.world.addSubtask(steps.task, kStepTwo);
  steps.world.rows.change([&](auto& data) {
    auto& task = data.tasks[steps.task];
    task.step = kStepTwo;
    task.slots = 3;
    task.meta = "new";
  });
  REQUIRE(steps.world.runUntil([&] { return steps.world.state(second) == SubtaskState::kSucceed; }));
  CHECK(steps.node.slots.available() == 13);
  CHECK(steps.world.script.count("init 2/3") == 1);
  CHECK(steps.world.script.count("meta new") == 0);
  CHECK(steps.world.script.count("resource 3") == 0);
}

TEST_CASE("A step executor reads its step and resource from the framework, also after a change", "[executor][steps]") {
  plugin::EmptyStepExecutor step;
  step.setFrameworkInfo(kStepTwo, {3, 300});
  CHECK(step.getStep() == kStepTwo);
  CHECK(step.getResource() == proto::StepResource{3, 300});
  step.setResource({5, 500});
  CHECK(step.getResource() == proto::StepResource{5, 500});
  CHECK(step.getStep() == kStepTwo);
}

TEST_CASE("A limit of runtime slots holds for its target steps only", "[executor][steps]") {
  Steps steps;
  steps.world.rows.change([&](auto& data) {
    auto& task = data.tasks[steps.task];
    task.slots = 16;
    task.extra.max_runtime_slots = 12;
    task.extra.target_steps = {1};
  });
  const auto first = steps.world.addSubtask(steps.task);
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.world.runUntil([&] { return steps.world.state(first) == SubtaskState::kSucceed; }));
  CHECK(steps.world.script.count("init 1/12") == 1);
  CHECK(steps.node.slots.available() == 0);  // what is reserved is what the task was given
  steps.world.addSubtask(steps.task, kStepTwo);
  steps.world.setStep(steps.task, kStepTwo);
  REQUIRE(steps.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(steps.world.script.count("init 2/16") == 1);
}

TEST_CASE("More slots that are free are taken by an idle executor", "[executor][steps][modify]") {
  Steps steps;
  const auto id = steps.world.addSubtask(steps.task);
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.world.runUntil([&] { return steps.world.state(id) == SubtaskState::kSucceed; }));
  steps.world.rows.change([&](auto& data) { data.tasks[steps.task].slots = 14; });
  REQUIRE(steps.world.runUntil([&] { return running->getTaskBase().slots == 14; }));
  CHECK(steps.node.slots.available() == 2);  // taken before the task's row is taken over
  REQUIRE(steps.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(steps.world.script.count("cleanup 1/14") == 1);
}

TEST_CASE(
    "A cancelled executor writes nothing and looks for no work while its run still returns", "[executor][steps]"
) {
  Steps steps;
  std::atomic<bool> open{false};
  steps.world.script.run = [&](auto&, auto&) {
    while (!open) runtime::Wakeup(runtime::systemClock()).waitFor({}, 1ms);
  };
  steps.world.addSubtask(steps.task);
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.world.runUntil([&] { return steps.world.script.count("run 1") == 1; }));
  REQUIRE(steps.world.runUntil([&] { return steps.world.rows.numCalls("findLostRuns") > 0; }));
  running->cancel();
  // A call that was under way may still be counted.
  const auto begin = steps.world.clock.now();
  REQUIRE(steps.world.runUntil([&] { return steps.world.clock.now() - begin > 3s; }, 10ms));
  const auto before = steps.world.rows.calls().size();
  REQUIRE(steps.world.runUntil([&] { return steps.world.clock.now() - begin > 20s; }));
  const auto calls = steps.world.rows.calls();
  for (auto i = before; i < calls.size(); ++i) CHECK(calls[i] == "findLostRuns");  // whose row it is, no more
  open = true;
  CHECK(eventually([&] { return running.returned(); }));
}

TEST_CASE("A modification reaches a running subtask although the task could not be read before", "[executor][modify]") {
  Steps steps;
  steps.world.script.run = [&](auto& context, auto&) { steps.blocker.wait(context); };
  steps.world.addSubtask(steps.task);
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.world.runUntil([&] { return steps.blocker.numWaiting() == 1; }));
  steps.world.rows.inject({.method = "getTaskBaseById", .times = 3});
  steps.world.rows.inject({.method = "getTaskById", .times = 2});
  steps.world.rows.change([&](auto& data) {
    data.tasks[steps.task].slots = 5;
    data.tasks[steps.task].meta = "new";
  });
  REQUIRE(steps.world.runUntil([&] {
    return steps.world.script.count("meta new") == 1 && steps.world.script.count("resource 5") == 1;
  }));
  CHECK(steps.node.slots.available() == 11);
  CHECK(steps.blocker.numWaiting() == 1);
}

TEST_CASE("A task that did not change disturbs no running step", "[executor][modify]") {
  Steps steps;
  steps.world.script.run = [&](auto& context, auto&) { steps.blocker.wait(context); };
  steps.world.addSubtask(steps.task);
  RunningExecutor running(steps.world, steps.node, steps.task);
  running.start();
  REQUIRE(steps.world.runUntil([&] { return steps.blocker.numWaiting() == 1; }));
  const auto before = steps.world.script.events();
  const auto begin = steps.world.clock.now();
  REQUIRE(steps.world.runUntil([&] { return steps.world.clock.now() - begin > 20s; }));
  CHECK(steps.world.rows.numCalls("getTaskById") > 0);  // it did look
  CHECK(steps.world.script.events() == before);
  CHECK(steps.node.slots.available() == 6);
}
