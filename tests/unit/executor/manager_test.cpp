// What a Manager's poll does (contract 4.2 and section 6, items 58-78).
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;
using proto::TaskState;

namespace {

const Error kBroken{ErrorCode::kPluginFailed, "broken"};

struct Managed {
  World world;
  Blocker blocker;
  ManagedNode node{world};

  explicit Managed(std::int32_t slots = 16) : world_slots(slots) {}
  std::int32_t world_slots;

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
  ~Managed() { blocker.letGo(); }
};

}  // namespace

TEST_CASE("The Manager runs a task of its node to the end and frees its slots", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  const auto task = managed.world.addTask(6);
  managed.world.addSubtasks(task, 3);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.world.numInState(task, SubtaskState::kSucceed) == 3; }));
  CHECK(managed.node.manager.node().slots.available() == 10);
  CHECK(managed.world.script.count("init 1/6") == 1);
  REQUIRE(managed.world.runUntil([&] { return managed.node.manager.tasks().empty(); }, 100ms));
  CHECK(managed.node.manager.node().slots.available() == 16);
}

TEST_CASE("The Manager registers its node and puts a missing row back within one poll", "[executor][manager]") {
  Managed managed;
  managed.node.manager.initMeta();
  REQUIRE(managed.world.rows.meta(kNode));
  CHECK(managed.world.rows.meta(kNode)->role == "disttask");
  CHECK(managed.world.rows.meta(kNode)->slots == 16);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.node.manager.numPolls() > 3; }));
  managed.world.rows.change([](auto& data) { data.metas.clear(); });
  const auto polls = managed.node.manager.numPolls();
  REQUIRE(managed.world.runUntil([&] { return managed.world.rows.meta(kNode).has_value(); }));
  CHECK(managed.node.manager.numPolls() <= polls + 1);
}

TEST_CASE("initMeta gives its store error to the caller", "[executor][manager]") {
  Managed managed;
  managed.world.rows.inject({.method = "initMeta"});
  CHECK_THROWS_AS(managed.node.manager.initMeta(), Exception);
  CHECK_NOTHROW(managed.node.manager.initMeta());
}

TEST_CASE("Polls back off when idle and come at once after a nudge", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  managed.node.manager.start();
  REQUIRE(managed.pass(20s));
  const auto before = managed.node.manager.numPolls();
  REQUIRE(managed.pass(20s));
  CHECK(managed.node.manager.numPolls() - before <= 11);
  const auto task = managed.world.addTask();
  const auto id = managed.world.addSubtask(task);
  managed.node.manager.nudge();
  CHECK(eventually([&] { return managed.world.state(id) == SubtaskState::kSucceed; }));  // the clock stands still
}

TEST_CASE("A nudge reaches running task executors", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  const auto task = managed.world.addTask();
  const auto first = managed.world.addSubtask(task);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.world.state(first) == SubtaskState::kSucceed; }));
  REQUIRE(managed.pass(5s));
  const auto second = managed.world.addSubtask(task);
  managed.node.manager.nudge();
  CHECK(eventually([&] { return managed.world.state(second) == SubtaskState::kSucceed; }));
}

TEST_CASE(
    "A task of a type that is not offered fails one subtask, or is skipped and counted beside DXF",
    "[executor][manager]"
) {
  World world;
  world.settings.beside_dxf = GENERATE(true, false);
  ManagedNode node(world);
  const auto task = world.addTask(4);
  const auto id = world.addSubtask(task);
  node.manager.start();
  if (!world.settings.beside_dxf) {
    REQUIRE(world.runUntil([&] { return world.state(id) == SubtaskState::kFailed; }));
    CHECK(world.rows.subtask(id)->error == "task type t not found");
  } else {
    REQUIRE(world.runUntil([&] { return node.manager.node().counters.unknown_types > 0; }));
    CHECK(world.state(id) == SubtaskState::kPending);
  }
  CHECK(node.manager.node().slots.available() == 16);
}

TEST_CASE("An init that fails for good fails a subtask, one that fails for now is tried again", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  const auto task = managed.world.addTask(4);
  const auto id = managed.world.addSubtask(task);
  std::atomic<int> calls{0};
  SECTION("for good") {
    managed.world.script.executor_init = [] { throw Exception(kBroken); };
    managed.node.manager.start();
    REQUIRE(managed.world.runUntil([&] { return managed.world.state(id) == SubtaskState::kFailed; }));
    CHECK(managed.world.rows.subtask(id)->error == "broken");
    CHECK(managed.node.manager.node().slots.available() == 16);
    CHECK(managed.node.manager.node().slots.holders().empty());
  }
  SECTION("for now") {
    managed.world.script.is_retryable = [](const Error&) { return true; };
    managed.world.script.executor_init = [&] {
      if (++calls <= 2) throw Exception(kBroken);
    };
    managed.node.manager.start();
    REQUIRE(managed.world.runUntil([&] { return managed.world.state(id) == SubtaskState::kSucceed; }));
    CHECK(calls == 3);
    CHECK(managed.world.rows.numCalls("failSubtask") == 0);
  }
}

TEST_CASE("A store that fails at a poll starts nothing and leaks no slots", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  const auto task = managed.world.addTask(4);
  const auto id = managed.world.addSubtask(task);
  managed.world.rows.inject(
      {.method = GENERATE("getTaskExecInfoByExecId", "getTaskById", "takeOrphans", "recoverMeta"), .times = 2}
  );
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.world.state(id) == SubtaskState::kSucceed; }));
  CHECK(managed.node.manager.node().slots.available() == 12);
}

TEST_CASE("One poll starts running tasks, cancels reverting ones and pauses pausing ones", "[executor][manager]") {
  World world;
  storage::MemoryTaskTable shared(world.rows, /*shared_with_dxf=*/true);
  ManagedNode parts(world);
  executor::Manager manager(
      world.settings, {shared, parts.registry, world.clock, world.timers, parts.ctl, parts.work, world.lease}
  );
  parts.offer();
  const auto running = world.addSubtask(world.addTask());
  const auto reverting_task = world.addTask();
  const auto reverting = world.addSubtask(reverting_task);
  const auto pausing_task = world.addTask();
  const auto pausing = world.addSubtask(pausing_task);
  world.setTaskState(reverting_task, TaskState::kReverting);
  world.setTaskState(pausing_task, TaskState::kPausing);
  manager.start();
  REQUIRE(world.runUntil([&] { return world.state(running) == SubtaskState::kSucceed; }));
  CHECK(world.state(reverting) == SubtaskState::kCanceled);
  CHECK(world.state(pausing) == SubtaskState::kPaused);
}

TEST_CASE("A pausing task is paused on this node after its runs have returned", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  managed.block();
  const auto task = managed.world.addTask();
  const auto ids = managed.world.addSubtasks(task, 2);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.blocker.numWaiting() == 1; }));
  managed.world.setTaskState(task, TaskState::kPausing);
  REQUIRE(managed.world.runUntil([&] { return managed.world.state(ids[0]) == SubtaskState::kPaused; }));
  CHECK(managed.world.state(ids[1]) == SubtaskState::kPending);  // the owner's to write, in our schema
  CHECK(managed.world.runUntil([&] { return managed.node.manager.tasks().empty(); }));
  CHECK(managed.node.manager.node().slots.available() == 16);
}

TEST_CASE("A reverting task's run is canceled and its rows without a run too", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  managed.block();
  const auto task = managed.world.addTask();
  const auto id = managed.world.addSubtask(task);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.blocker.numWaiting() == 1; }));
  managed.world.setTaskState(task, TaskState::kReverting);
  const auto orphan = managed.world.addOrphan(task, false);
  REQUIRE(managed.world.runUntil([&] { return managed.world.state(id) == SubtaskState::kCanceled; }));
  CHECK(managed.world.runUntil([&] { return managed.world.state(orphan) == SubtaskState::kCanceled; }));
  CHECK(managed.world.runUntil([&] { return managed.node.manager.tasks().empty(); }));
}

TEST_CASE("A task that has an executor is not started again", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  managed.block();
  const auto task = managed.world.addTask();
  managed.world.addSubtask(task);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.blocker.numWaiting() == 1; }));
  REQUIRE(managed.pass(3s));
  CHECK(managed.world.log.count("task executor started") == 1);
}

TEST_CASE("A lower rank uses what is left over when a task does not fit", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  managed.block();
  const auto first = managed.world.addTask(10, 1);
  const auto second = managed.world.addTask(10, 2);
  const auto third = managed.world.addTask(1, 3);
  for (const auto task : {first, second, third}) managed.world.addSubtask(task);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.blocker.numWaiting() == 2; }));
  CHECK(managed.runs(first));
  CHECK_FALSE(managed.runs(second));
  CHECK(managed.runs(third));
}

TEST_CASE(
    "A task of higher rank preempts, its victim's row is pending again, and nobody slips in between",
    "[executor][manager]"
) {
  Managed managed;
  managed.node.offer();
  managed.block();
  const auto low = managed.world.addTask(16, 100);
  const auto victim = managed.world.addSubtask(low);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.blocker.numWaiting() == 1; }));
  const auto high = managed.world.addTask(16, 1);
  managed.world.addSubtask(high);
  const auto lowest = managed.world.addTask(1, 200);
  managed.world.addSubtask(lowest);
  REQUIRE(managed.world.runUntil([&] { return managed.runs(high) && managed.blocker.numWaiting() == 1; }));
  CHECK(managed.world.state(victim) == SubtaskState::kPending);
  CHECK_FALSE(managed.runs(low));
  CHECK_FALSE(managed.runs(lowest));
  CHECK(managed.world.rows.attempt(victim).abnormal_ends == 0);
  managed.blocker.letGo();
  CHECK(managed.world.runUntil([&] { return managed.world.state(victim) == SubtaskState::kSucceed; }, 100ms));
}

TEST_CASE("Orphans are taken at every poll, also of tasks that cannot have slots", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  managed.block();
  const auto busy = managed.world.addTask(16, 1);
  managed.world.addSubtask(busy);
  const auto waiting = managed.world.addTask(1, 2);
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.blocker.numWaiting() == 1; }));
  const auto may_run = managed.world.addOrphan(waiting, true);
  const auto may_not = managed.world.addOrphan(waiting, false);
  REQUIRE(managed.world.runUntil([&] { return managed.world.state(may_run) == SubtaskState::kPending; }));
  CHECK(managed.world.state(may_not) == SubtaskState::kFailed);
  CHECK(managed.world.rows.subtask(may_not)->error == "subtask in running state and is not idempotent");
  CHECK(managed.world.rows.attempt(may_run).abnormal_ends == 1);
  CHECK(managed.node.manager.node().counters.orphans == 2);
  CHECK(managed.blocker.numWaiting() == 1);  // the live run is none
}

TEST_CASE("A run that was left running by a killed process runs again here at once", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  const auto task = managed.world.addTask();
  const auto id = managed.world.addOrphan(task, true);
  managed.node.manager.start();
  CHECK(managed.world.runUntil([&] { return managed.world.state(id) == SubtaskState::kSucceed; }));
}

TEST_CASE("An end that could not be written in time is written at a later poll", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  const auto id = managed.world.addSubtask(managed.world.addTask());
  managed.world.rows.inject({.method = "finishSubtask", .times = 1'000'000});
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.node.manager.node().unwritten.size() == 1; }, 100ms));
  managed.world.rows.clearFaults();
  REQUIRE(managed.world.runUntil([&] { return managed.world.state(id) == SubtaskState::kSucceed; }));
  CHECK(managed.world.script.count("run 1") == 1);
}

TEST_CASE("A lease in doubt cancels runs, starts none, and work goes on when it is renewed", "[executor][manager]") {
  Managed managed;
  managed.node.offer();
  managed.block();
  const auto id = managed.world.addSubtask(managed.world.addTask());
  managed.node.manager.start();
  REQUIRE(managed.world.runUntil([&] { return managed.blocker.numWaiting() == 1; }));
  CHECK(managed.node.manager.numLiveRuns() == 1);
  managed.world.lease.open = false;
  managed.node.manager.interruptRuns(runtime::CancelCause::kLeaseLost);
  REQUIRE(managed.world.runUntil([&] { return managed.node.manager.numLiveRuns() == 0; }));
  REQUIRE(managed.pass(5s));
  CHECK(managed.blocker.numWaiting() == 0);
  CHECK(managed.world.state(id) == SubtaskState::kPending);
  managed.world.lease.open = true;
  CHECK(managed.world.runUntil([&] { return managed.blocker.numWaiting() == 1; }));
}
