// Who runs when slots are short, and what a poll does when the store or the tasks change under it.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;
using proto::TaskState;

namespace {

struct Node {
  World world;
  Blocker blocker;
  ManagedNode node{world};

  Node() { node.offer(); }
  ~Node() { blocker.letGo(); }
  void block() {
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
  }
  bool pass(runtime::Duration time) {
    const auto begin = world.clock.now();
    return world.runUntil([&] { return world.clock.now() - begin > time; });
  }
  [[nodiscard]] bool runs(proto::TaskId task) const {
    const auto tasks = node.manager.tasks();
    return std::find(tasks.begin(), tasks.end(), task) != tasks.end();
  }
  [[nodiscard]] std::int32_t available() { return node.manager.node().slots.available(); }
};

}  // namespace

TEST_CASE("As many tasks run as fit into the slots, one subtask of each", "[executor][manager][slots]") {
  Node node;
  node.block();
  for (int i = 0; i < 5; ++i) node.world.addSubtasks(node.world.addTask(4), 4);
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.blocker.numWaiting() == 4; }));
  REQUIRE(node.pass(5s));
  CHECK(node.blocker.numWaiting() == 4);
  CHECK(node.available() == 0);
  node.blocker.letGo();
  CHECK(node.world.runUntil([&] { return node.node.manager.node().counters.succeeded == 20; }, 100ms));
}

TEST_CASE(
    "A smaller task takes what a larger one before it cannot use, and the larger one runs when it fits",
    "[executor][manager][slots]"
) {
  Node node;
  node.block();
  const auto first = node.world.addTask(8, 1);
  const auto large = node.world.addTask(16, 2);
  const auto small = node.world.addTask(8, 3);
  for (const auto task : {first, large, small}) node.world.addSubtask(task);
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.blocker.numWaiting() == 2; }));
  CHECK(node.runs(first));
  CHECK(node.runs(small));
  CHECK_FALSE(node.runs(large));
  node.blocker.letGo();
  REQUIRE(node.world.runUntil([&] { return node.world.numInState(large, SubtaskState::kSucceed) == 1; }, 100ms));
}

TEST_CASE("Nobody is preempted when that would not make enough room", "[executor][manager][slots]") {
  Node node;
  node.block();
  const auto high = node.world.addTask(10, 1);
  const auto low = node.world.addTask(6, 100);
  const auto spared = node.world.addSubtask(low);
  node.world.addSubtask(high);
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.blocker.numWaiting() == 2; }));
  const auto middle = node.world.addTask(7, 50);  // outranks 6 of 7 slots only
  node.world.addSubtask(middle);
  REQUIRE(node.pass(5s));
  CHECK(node.blocker.numWaiting() == 2);
  CHECK(node.world.state(spared) == SubtaskState::kRunning);
  CHECK_FALSE(node.runs(middle));
  CHECK(node.world.log.count("need to preempt tasks of low ranking") == 0);
}

TEST_CASE("A reverting task keeps its executor and its slots until its run has returned", "[executor][manager]") {
  Node node;
  std::atomic<bool> open{false};
  node.world.script.run = [&](auto& context, auto&) {
    while (!open) runtime::Wakeup(runtime::systemClock()).waitFor({}, 1ms);
    context.token().throwIfCancelled();
  };
  const auto task = node.world.addTask(6);
  const auto id = node.world.addSubtask(task);
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.world.script.count("run 1") == 1; }));
  node.world.setTaskState(task, TaskState::kReverting);
  REQUIRE(node.pass(15s));
  CHECK(node.runs(task));
  CHECK(node.available() == 10);
  CHECK(node.world.state(id) == SubtaskState::kRunning);  // its code still runs (design rule 11)
  open = true;
  REQUIRE(node.world.runUntil([&] { return node.world.state(id) == SubtaskState::kCanceled; }));
  REQUIRE(node.world.runUntil([&] { return node.node.manager.tasks().empty(); }));
  CHECK(node.available() == 16);
}

TEST_CASE("When slots go between the look and the start no lower rank starts at that poll", "[executor][manager]") {
  Node node;
  node.block();
  auto holder = *node.world.rows.task(node.world.addTask(6, 1));
  auto& slots = node.node.manager.node().slots;
  REQUIRE(slots.alloc(holder));
  const auto second = node.world.addTask(10, 2);
  const auto third = node.world.addTask(1, 3);
  node.world.addSubtask(second);
  node.world.addSubtask(third);
  bool exchanged = false;
  node.world.rows.afterCall("getTaskById", [&] {
    if (std::exchange(exchanged, true)) return;
    holder.slots = 15;
    REQUIRE(slots.exchange(holder));
  });
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.blocker.numWaiting() == 1; }));
  CHECK(node.runs(third));
  CHECK(node.world.log.count("alloc slots failed, maybe other task executor alloc more slots at runtime") == 1);
  // Between the two reads of a whole task there was another look at all of them: the third came at a later poll.
  const auto calls = node.world.rows.calls();
  const auto one = std::find(calls.begin(), calls.end(), "getTaskById");
  const auto two = std::find(one + 1, calls.end(), "getTaskById");
  CHECK(std::find(one, two, "getTaskExecInfoByExecId") != two);
}

TEST_CASE("A task that is gone or not running any more when it is to start leaks no slots", "[executor][manager]") {
  Node node;
  const auto task = node.world.addTask(6);
  const auto id = node.world.addSubtask(task);
  const bool gone = GENERATE(false, true);
  node.world.rows.afterCall("getTaskExecInfoByExecId", [&] {
    node.world.rows.change([&](auto& data) {
      if (gone) {
        data.tasks.erase(task);
      } else {
        data.tasks[task].state = TaskState::kPausing;
      }
    });
  });
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.node.manager.numPolls() > 3; }));
  CHECK(node.available() == 16);
  CHECK(node.node.manager.tasks().empty());
  CHECK(node.world.state(id) == SubtaskState::kPending);
  CHECK(node.world.log.count("task executor started") == 0);
}

TEST_CASE(
    "A pause or cancel that fails in the store is tried at the next poll, and holds up nobody else",
    "[executor][manager]"
) {
  Node node;
  const bool pausing = GENERATE(true, false);
  node.world.rows.inject({.method = pausing ? "pauseSubtasks" : "cancelSubtask", .times = 1'000'000});
  const auto task = node.world.addTask(1, 1);
  node.world.setTaskState(task, pausing ? TaskState::kPausing : TaskState::kReverting);
  const auto orphan = node.world.addOrphan(task, true);
  const auto other = node.world.addSubtask(node.world.addTask(1, 2));
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.world.state(other) == SubtaskState::kSucceed; }, 10ms));
  REQUIRE(node.pass(1s));
  CHECK(node.world.state(orphan) == SubtaskState::kRunning);
  node.world.rows.clearFaults();
  REQUIRE(node.world.runUntil([&] {
    return node.world.state(orphan) == (pausing ? SubtaskState::kPaused : SubtaskState::kCanceled);
  }));
}

TEST_CASE("An orphan whose write failed is taken at a later poll", "[executor][manager]") {
  Node node;
  node.world.rows.inject({.method = "takeOrphans", .times = 3});
  const bool idempotent = GENERATE(true, false);
  const auto id = node.world.addOrphan(node.world.addTask(), idempotent);
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] {
    return node.world.state(id) == (idempotent ? SubtaskState::kSucceed : SubtaskState::kFailed);
  }));
  CHECK(node.world.script.count("run 1") == (idempotent ? 1 : 0));
}

TEST_CASE(
    "With fewer slots what runs goes on and nothing begins until enough has ended, with more slots more begins",
    "[executor][manager][slots]"
) {
  Node node;
  node.block();
  for (int i = 0; i < 5; ++i) node.world.addSubtask(node.world.addTask(4));
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.blocker.numWaiting() == 4; }));
  auto settings = node.world.settings;
  settings.slots = 4;
  settings.memory_bytes = 4000;
  node.node.manager.reconfigure(settings);
  REQUIRE(node.pass(5s));
  CHECK(node.blocker.numWaiting() == 4);
  CHECK(node.available() == -12);
  CHECK(node.world.rows.meta(kNode)->slots == 4);
  proto::TaskBase one;
  one.slots = 1;
  CHECK(node.node.manager.node().resourceOf(one) == proto::StepResource{1, 1000});
  settings.slots = 20;
  node.node.manager.reconfigure(settings);
  REQUIRE(node.world.runUntil([&] { return node.blocker.numWaiting() == 5; }));
  CHECK(node.available() == 0);
  CHECK(node.world.rows.meta(kNode)->slots == 20);
}

TEST_CASE("What hangs is seen: each task with its queue and each run with its age", "[executor][manager]") {
  Node node;
  node.block();
  const auto task = node.world.addTask(16);
  node.world.addSubtasks(task, 3);
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.blocker.numWaiting() == 1; }));
  REQUIRE(node.pass(5s));
  const auto activities = node.node.manager.activities();
  REQUIRE(activities.size() == 1);
  CHECK(activities[0].first.id == task);
  const auto& activity = activities[0].second;
  CHECK(activity.queued == 2);
  CHECK(activity.active == 1);
  REQUIRE(activity.runs.size() == 1);
  CHECK(activity.runs[0].age > 5s);
  CHECK_FALSE(activity.runs[0].is_cancelled);
}

TEST_CASE("That a task needs to preempt others is said once while they go on", "[executor][manager][slots]") {
  Node node;
  node.block();
  node.world.script.is_idempotent = [](const auto&) { return false; };  // never preempted
  node.world.addSubtask(node.world.addTask(16, 100));
  node.node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.blocker.numWaiting() == 1; }));
  node.world.addSubtask(node.world.addTask(16, 1));
  REQUIRE(node.pass(5s));
  CHECK(node.blocker.numWaiting() == 1);
  CHECK(node.world.log.count("need to preempt tasks of low ranking") == 1);
}
