// What happens when a task's meta or slots change (contract 4.5 and 4.8).
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

const Error kBroken{ErrorCode::kPluginFailed, "broken"};

struct Modify {
  World world;
  proto::TaskId task = world.addTask(/*slots=*/10);
  executor::NodeServices node{world.settings, world.clock, world.lease};
  Blocker blocker;

  void change(std::int32_t slots, const std::string& meta) {
    world.rows.change([&](auto& data) {
      data.tasks[task].slots = slots;
      data.tasks[task].meta = meta;
    });
  }
  bool idleWithStep(RunningExecutor& running) {
    const auto id = world.addSubtask(task);
    running.start();
    return world.runUntil([&] { return world.state(id) == SubtaskState::kSucceed; });
  }
  bool busy(RunningExecutor& running) {
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
    world.addSubtask(task);
    running.start();
    return world.runUntil([&] { return blocker.numWaiting() == 1; });
  }
  bool pass(runtime::Duration time) {
    const auto begin = world.clock.now();
    return world.runUntil([&] { return world.clock.now() - begin > time; });
  }
};

}  // namespace

TEST_CASE(
    "Fewer slots are given back at the next look and the next step executor gets the new resource", "[executor][modify]"
) {
  Modify modify;
  RunningExecutor running(modify.world, modify.node, modify.task);
  running.start();
  modify.change(4, "meta");
  REQUIRE(modify.world.runUntil([&] { return running->getTaskBase().slots == 4; }));
  CHECK(modify.node.slots.available() == 12);  // given back before the task's row is taken over
  modify.world.addSubtask(modify.task);
  CHECK(modify.world.runUntil([&] { return modify.world.script.count("init 1/4") == 1; }));
}

TEST_CASE("An idle step executor gets a new resource without being asked", "[executor][modify]") {
  Modify modify;
  RunningExecutor running(modify.world, modify.node, modify.task);
  REQUIRE(modify.idleWithStep(running));
  modify.change(2, "meta");
  REQUIRE(modify.world.runUntil([&] { return modify.node.slots.available() == 14; }));
  REQUIRE(modify.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(modify.world.script.count("resource 2") == 0);
  CHECK(modify.world.script.count("cleanup 1/2") == 1);
}

TEST_CASE("More slots than are free end an idle executor with its slots as they were", "[executor][modify]") {
  Modify modify;
  RunningExecutor running(modify.world, modify.node, modify.task);
  auto other = *modify.world.rows.task(modify.world.addTask(4));
  REQUIRE(modify.node.slots.alloc(other));
  running.start();
  modify.change(14, "meta");
  const auto begin = modify.world.clock.now();
  REQUIRE(modify.world.runUntil([&] { return running.returned(); }));
  CHECK(modify.world.clock.now() - begin < 5s);
  CHECK(modify.node.slots.available() == 2);
}

TEST_CASE("A new meta without a step executor is only kept, and the next one is made with it", "[executor][modify]") {
  Modify modify;
  TestSignal<std::string> made_with;
  modify.world.script.made_for = [&](const proto::Task& task) { made_with.send(task.meta); };
  RunningExecutor running(modify.world, modify.node, modify.task);
  running.start();
  modify.change(10, "new");
  REQUIRE(modify.pass(6s));
  CHECK(modify.world.script.events().empty());
  modify.world.addSubtask(modify.task);
  REQUIRE(modify.world.runUntil([&] { return made_with.size() == 1; }));
  CHECK(made_with.wait().value() == "new");
}

TEST_CASE("A new meta reaches an idle step executor, and one that refuses it is replaced", "[executor][modify]") {
  Modify modify;
  const bool refuses = GENERATE(false, true);
  if (refuses) modify.world.script.meta_modified = [](const auto&) { throw Exception(kBroken); };
  RunningExecutor running(modify.world, modify.node, modify.task);
  REQUIRE(modify.idleWithStep(running));
  modify.change(3, "new");
  REQUIRE(modify.world.runUntil([&] { return modify.world.script.count("meta new") == 1; }));
  const auto id = modify.world.addSubtask(modify.task);
  REQUIRE(modify.world.runUntil([&] { return modify.world.state(id) == SubtaskState::kSucceed; }));
  CHECK(modify.world.script.count("make 1") == (refuses ? 2 : 1));
  CHECK(modify.world.script.count("init 1/3") == (refuses ? 1 : 0));
  CHECK(modify.node.slots.available() == 13);
}

TEST_CASE(
    "Slots and meta change beside a running subtask only as far as the step executor takes them", "[executor][modify]"
) {
  Modify modify;
  const auto [resource_ok, meta_ok] =
      GENERATE(table<bool, bool>({{true, true}, {true, false}, {false, true}, {false, false}}));
  const auto slots = GENERATE(4, 14);
  std::atomic<bool> resource_refused{!resource_ok};
  std::atomic<bool> meta_refused{!meta_ok};
  modify.world.script.resource_modified = [&](const auto&) {
    if (resource_refused) throw Exception(kBroken);
  };
  modify.world.script.meta_modified = [&](const auto&) {
    if (meta_refused) throw Exception(kBroken);
  };
  RunningExecutor running(modify.world, modify.node, modify.task);
  REQUIRE(modify.busy(running));
  modify.change(slots, "new");
  // The step executor is told before the task is changed.
  REQUIRE(modify.world.runUntil([&] {
    return modify.world.script.count("meta new") == 1 && running->getTaskBase().slots == (resource_ok ? slots : 10);
  }));
  CHECK(modify.node.slots.available() == (resource_ok ? 16 - slots : 6));
  // What was refused is offered again, what was taken is not.
  resource_refused = meta_refused = false;
  REQUIRE(modify.pass(15s));
  CHECK(modify.node.slots.available() == 16 - slots);
  CHECK(modify.world.script.count("meta new") == (meta_ok ? 1 : 2));
  CHECK(modify.world.script.count("make 1") == 1);
  CHECK(modify.blocker.numWaiting() == 1);
}

TEST_CASE("More slots than are free are not offered to a running step executor", "[executor][modify]") {
  Modify modify;
  RunningExecutor running(modify.world, modify.node, modify.task);
  REQUIRE(modify.busy(running));
  modify.change(17, "meta");
  REQUIRE(modify.pass(8s));
  CHECK(modify.world.script.count("resource 17") == 0);
  CHECK(modify.node.slots.available() == 6);
  CHECK_FALSE(running.returned());
}

TEST_CASE("The runtime slots of a task are at most what it allows itself", "[executor][modify]") {
  executor::ExecutorSettings settings;
  settings.slots = 8;
  settings.memory_bytes = 800;
  proto::TaskBase task;
  task.slots = 4;
  CHECK(executor::stepResourceOf(settings.slots, settings.memory_bytes, task) == proto::StepResource{4, 400});
  task.extra.max_runtime_slots = 2;
  CHECK(executor::stepResourceOf(settings.slots, settings.memory_bytes, task) == proto::StepResource{2, 200});
  task.extra.target_steps = {1};
  task.step = kStepOne;
  CHECK(executor::stepResourceOf(settings.slots, settings.memory_bytes, task) == proto::StepResource{2, 200});
  task.step = kStepTwo;
  CHECK(executor::stepResourceOf(settings.slots, settings.memory_bytes, task) == proto::StepResource{4, 400});
}
