// Several subtasks of one task at a time: each keeps all that holds for one alone.
#include "executor_fixture.hpp"
#include "subtask_run.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

/// A node on which four subtasks of a task run at a time; the first one may not run twice.
struct FourRuns {
  World world;
  Blocker blocker;
  proto::TaskId task = world.addTask(1, 500);
  std::vector<proto::SubtaskId> ids = world.addSubtasks(task, 6);
  ManagedNode node{world};
  runtime::ThreadGroup threads;
  std::mutex mutex;
  std::map<std::int32_t, int> num_runs;  // by ordinal

  FourRuns() {
    plugin::TaskTypeOptions options;
    options.parallel_subtasks = 4;
    node.offer(options);
    world.script.is_idempotent = [](const auto& subtask) { return subtask.ordinal != 1; };
    world.script.run = [this](auto& context, auto& subtask) {
      {
        const std::lock_guard lock(mutex);
        ++num_runs[subtask.ordinal];
      }
      blocker.wait(context);
    };
    node.manager.start();
    REQUIRE(world.runUntil([&] { return blocker.numWaiting() == 4; }));
  }
  ~FourRuns() {
    blocker.letGo();
    threads.join();
  }
  int num(SubtaskState state) { return world.numInState(task, state); }
  int runsOf(std::int32_t ordinal) {
    const std::lock_guard lock(mutex);
    return num_runs[ordinal];
  }
  bool pass(runtime::Duration time) {
    const auto begin = world.clock.now();
    return world.runUntil([&] { return world.clock.now() - begin > time; });
  }
};

}  // namespace

TEST_CASE(
    "Pausing a task pauses each of its runs that may run twice and waits for the one that may not",
    "[executor][parallel]"
) {
  FourRuns four;
  four.world.setTaskState(four.task, proto::TaskState::kPausing);
  REQUIRE(four.world.runUntil([&] { return four.num(SubtaskState::kPaused) == 3; }));
  CHECK(four.blocker.numWaiting() == 1);
  CHECK(four.world.state(four.ids[0]) == SubtaskState::kRunning);
  REQUIRE(four.pass(5s));
  CHECK(four.blocker.numWaiting() == 1);
  four.blocker.letGo();
  REQUIRE(four.world.runUntil([&] { return four.world.state(four.ids[0]) == SubtaskState::kSucceed; }));
  CHECK(four.num(SubtaskState::kPaused) == 3);
  CHECK(four.num(SubtaskState::kPending) == 2);  // rows that were never started are the owner's
}

TEST_CASE("Reverting a task cancels all of its runs", "[executor][parallel]") {
  FourRuns four;
  four.world.setTaskState(four.task, proto::TaskState::kReverting);
  REQUIRE(four.world.runUntil([&] { return four.num(SubtaskState::kCanceled) == 4; }));
  CHECK(four.blocker.numWaiting() == 0);
  REQUIRE(four.pass(5s));
  CHECK(four.num(SubtaskState::kPending) == 2);
  CHECK(four.node.manager.node().slots.available() == 16);
}

TEST_CASE(
    "A stop gives each run that may run twice back at once and waits for the one that may not", "[executor][parallel]"
) {
  FourRuns four;
  std::atomic<int> left{-1};
  four.threads.spawn("stop", [&] { left = static_cast<int>(four.node.manager.stop()); });
  REQUIRE(four.world.runUntil([&] { return four.num(SubtaskState::kPending) == 5; }));
  CHECK(four.world.state(four.ids[0]) == SubtaskState::kRunning);
  CHECK(left == -1);
  four.blocker.letGo();
  REQUIRE(four.world.runUntil([&] { return left == 0; }));
  CHECK(four.world.state(four.ids[0]) == SubtaskState::kSucceed);
  CHECK(four.num(SubtaskState::kPending) == 5);
  for (const auto id : four.ids) CHECK(four.world.rows.attempt(id).abnormal_ends == 0);
}

TEST_CASE(
    "A lease at risk gives back each run that may run twice and fails the one that may not", "[executor][parallel]"
) {
  FourRuns four;
  four.world.lease.open = false;
  four.node.manager.interruptRuns(runtime::CancelCause::kLeaseLost);
  REQUIRE(four.world.runUntil([&] { return four.num(SubtaskState::kPending) == 5; }));
  REQUIRE(four.world.runUntil([&] { return four.world.state(four.ids[0]) == SubtaskState::kFailed; }));
  CHECK_THAT(four.world.rows.subtask(four.ids[0])->error, Catch::Contains("not idempotent"));
  REQUIRE(four.pass(5s));
  CHECK(four.node.manager.numLiveRuns() == 0);
  four.world.lease.open = true;
  four.blocker.letGo();
  REQUIRE(four.world.runUntil([&] { return four.num(SubtaskState::kSucceed) == 5; }, 100ms));
  CHECK(four.runsOf(1) == 1);  // what may not run twice did not
}

TEST_CASE(
    "Preemption gives back each run that may run twice and gets the slots when the last one has ended",
    "[executor][parallel]"
) {
  FourRuns four;
  const auto high = four.world.addTask(16, 1);
  const auto first = four.world.addSubtask(high);
  REQUIRE(four.world.runUntil([&] { return four.num(SubtaskState::kPending) == 5; }));
  REQUIRE(four.pass(3s));
  CHECK(four.world.state(first) == SubtaskState::kPending);  // the run that may not run twice still has the slots
  CHECK(four.world.state(four.ids[0]) == SubtaskState::kRunning);
  four.blocker.letGo();
  REQUIRE(four.world.runUntil([&] { return four.world.state(first) != SubtaskState::kPending; }));
  CHECK(four.world.state(four.ids[0]) == SubtaskState::kSucceed);
  CHECK(four.world.runUntil([&] { return four.num(SubtaskState::kSucceed) == 6; }, 100ms));
}

TEST_CASE("Each of several runs has a summary, a checkpoint and a result of its own", "[executor][parallel]") {
  World world;
  const auto task = world.addTask();
  const auto ids = world.addSubtasks(task, 4);
  std::atomic<bool> open{false};
  std::atomic<int> num_inside{0};
  world.script.run = [&](auto& context, auto& subtask) {
    context.addProgress(subtask.ordinal, 0, 0);
    context.putCheckpoint("checkpoint " + std::to_string(subtask.ordinal));
    ++num_inside;
    while (!open && context.sleepFor(20ms)) {
    }
    subtask.meta = "result " + std::to_string(subtask.ordinal);
  };
  plugin::TaskTypeOptions options;
  options.parallel_subtasks = 4;
  ManagedNode node(world);
  node.offer(options);
  node.manager.start();
  REQUIRE(world.runUntil([&] { return num_inside == 4; }));
  REQUIRE(world.runUntil([&] {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto row = *world.rows.subtask(ids[i]);
      if (proto::parseSummary(row.summary).row_count != row.ordinal) return false;
    }
    return true;
  }));
  open = true;
  REQUIRE(world.runUntil([&] { return world.numInState(task, SubtaskState::kSucceed) == 4; }));
  for (const auto id : ids) {
    const auto row = *world.rows.subtask(id);
    CHECK(row.meta == "result " + std::to_string(row.ordinal));
    CHECK(world.rows.checkpoint(id) == "checkpoint " + std::to_string(row.ordinal));
  }
}

TEST_CASE(
    "A run whose start a failover of the store lost is started again under the same token and runs once",
    "[executor][parallel]"
) {
  FourRuns four;
  const auto before = *four.world.rows.subtask(four.ids[1]);
  REQUIRE(before.state == SubtaskState::kRunning);
  four.world.rows.change([&](auto& data) {
    auto& row = data.subtasks[four.ids[1]];
    row.state = SubtaskState::kPending;
    row.token = proto::RunToken{};
    row.start_time = row.state_update_time = 0;
  });
  REQUIRE(four.world.runUntil([&] { return four.world.state(four.ids[1]) == SubtaskState::kRunning; }));
  CHECK(four.world.rows.subtask(four.ids[1])->token == before.token);
  CHECK(four.blocker.numWaiting() == 4);
  four.blocker.letGo();
  REQUIRE(four.world.runUntil([&] { return four.num(SubtaskState::kSucceed) == 6; }, 100ms));
  CHECK(four.runsOf(2) == 1);
}

TEST_CASE("A look for lost runs that the store did not answer cancels nothing", "[executor][parallel]") {
  FourRuns four;
  four.world.rows.inject({"findLostRuns", 1, 5});
  const auto asked = four.world.rows.numCalls("findLostRuns");
  REQUIRE(four.world.runUntil([&] { return four.world.rows.numCalls("findLostRuns") >= asked + 7; }));
  CHECK(four.blocker.numWaiting() == 4);
  CHECK(four.num(SubtaskState::kRunning) == 4);
  CHECK(four.node.manager.node().counters.moved_away == 0);
  CHECK(four.node.manager.node().counters.store_errors >= 5);
}

TEST_CASE(
    "A cancelled run may still keep a checkpoint, but not wait for a store that may be away", "[executor][ends]"
) {
  World world;
  executor::NodeServices node(world.settings, world.clock, world.lease);
  const auto id = world.addSubtask(world.addTask());
  REQUIRE(world.table.startSubtask({}, *world.rows.subtask(id), kNode, true) == proto::TransitionOutcome::kApplied);
  executor::SubtaskRun run(node, world.table, id, true);
  run.interrupt(runtime::CancelCause::kPreempted);
  REQUIRE(run.token().cancelled());
  run.putCheckpoint("how far");
  CHECK(world.rows.checkpoint(id) == "how far");
  run.interrupt(runtime::CancelCause::kLeaseLost);
  CHECK_THROWS_AS(run.putCheckpoint("further"), Exception);
  CHECK_THROWS_AS(run.getCheckpoint(), Exception);
  CHECK(world.rows.checkpoint(id) == "how far");
  CHECK(run.token().cause() == runtime::CancelCause::kPreempted);
}

TEST_CASE(
    "A task of higher rank gets borrowed slots back at once, and what runs on the lower task's own goes on",
    "[executor][parallel]"
) {
  World world;
  Blocker blocker;
  world.script.run = [&](auto& context, auto&) { blocker.wait(context); };
  ManagedNode node(world);
  plugin::TaskTypeOptions automatic;
  automatic.parallel_subtasks = 0;
  node.offer(automatic);
  const auto low = world.addTask(1, 500);
  const auto own = world.addSubtasks(low, 40).front();
  node.manager.start();
  REQUIRE(world.runUntil([&] { return blocker.numWaiting() == 16; }));
  const auto high = world.addTask(6, 1);
  const auto first = world.addSubtask(high);
  std::atomic<int> most{0};
  REQUIRE(world.runUntil(
      [&] {
        // What runs never needs more slots than there are.
        const int used =
            world.numInState(low, SubtaskState::kRunning) + 6 * world.numInState(high, SubtaskState::kRunning);
        most = std::max(most.load(), used);
        return world.state(first) == SubtaskState::kRunning;
      },
      10ms
  ));
  CHECK(most <= 16);
  CHECK(world.numInState(low, SubtaskState::kRunning) == 10);
  CHECK(world.state(own) == SubtaskState::kRunning);
  // Nobody takes them back while the task of higher rank has them.
  const auto begin = world.clock.now();
  REQUIRE(world.runUntil([&] { return world.clock.now() - begin > 5s; }));
  CHECK(world.numInState(low, SubtaskState::kRunning) == 10);
  blocker.letGo();
  REQUIRE(world.runUntil([&] { return world.numInState(low, SubtaskState::kSucceed) == 40; }, 100ms));
  CHECK(world.numInState(high, SubtaskState::kSucceed) == 1);
  CHECK(world.rows.attempt(own).abnormal_ends == 0);
}

TEST_CASE(
    "A task of lower rank waits for borrowed slots, and they are not used again before it has its own",
    "[executor][parallel]"
) {
  World world;
  Blocker blocker;
  world.script.run = [&](auto& context, auto&) { blocker.wait(context); };
  ManagedNode node(world);
  plugin::TaskTypeOptions automatic;
  automatic.parallel_subtasks = 0;
  node.offer(automatic);
  const auto high = world.addTask(1, 1);
  world.addSubtasks(high, 40);
  node.manager.start();
  REQUIRE(world.runUntil([&] { return blocker.numWaiting() == 16; }));
  const auto low = world.addTask(4, 500);
  const auto first = world.addSubtask(low);
  const auto begin = world.clock.now();
  REQUIRE(world.runUntil([&] { return world.clock.now() - begin > 5s; }));
  CHECK(blocker.numWaiting() == 16);  // nothing of a higher rank is cancelled for it
  CHECK(world.state(first) == SubtaskState::kPending);
  CHECK(node.manager.node().slots.isWaiting());
  blocker.letGo();
  REQUIRE(world.runUntil([&] { return world.state(first) == SubtaskState::kSucceed; }));
  REQUIRE(world.runUntil([&] { return world.numInState(high, SubtaskState::kSucceed) == 40; }, 100ms));
}
