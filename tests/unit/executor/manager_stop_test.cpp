// How a Manager ends: gracefully, or as a killed process does.
#include "end_writer.hpp"
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

struct Stopping {
  World world;
  Blocker blocker;
  proto::TaskId task = world.addTask();
  std::vector<proto::SubtaskId> ids = world.addSubtasks(task, 2);
  ManagedNode node{world};
  runtime::ThreadGroup threads;
  std::atomic<int> left{-1};

  Stopping() {
    node.offer();
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
    node.manager.start();
    REQUIRE(world.runUntil([&] { return blocker.numWaiting() == 1; }));
  }
  ~Stopping() {
    blocker.letGo();
    threads.join();
  }
  void stop() {
    threads.spawn("stop", [this] { left = static_cast<int>(node.manager.stop()); });
  }
  bool stopped() {
    return world.runUntil([&] { return left >= 0; });
  }
};

}  // namespace

TEST_CASE("A graceful stop gives running rows back and leaves pending ones", "[executor][stop]") {
  Stopping stopping;
  const auto begin = stopping.world.clock.now();
  stopping.stop();
  REQUIRE(stopping.stopped());
  CHECK(stopping.left == 0);
  CHECK(stopping.world.clock.now() - begin < 10s);
  CHECK(stopping.world.state(stopping.ids[0]) == SubtaskState::kPending);
  CHECK(stopping.world.state(stopping.ids[1]) == SubtaskState::kPending);
  CHECK(stopping.world.rows.attempt(stopping.ids[0]).abnormal_ends == 0);
  CHECK(stopping.world.script.count("cleanup 1/1") == 1);
  CHECK(stopping.node.manager.stop() == 0);
}

TEST_CASE(
    "At a stop each end that is not written is tried once, whatever became of the one before", "[executor][stop]"
) {
  World world;
  executor::NodeServices node{world.settings, world.clock, world.lease};
  const auto task = world.addTask();
  const auto ids = world.addSubtasks(task, 3);
  for (const auto id : ids) {
    const auto row = *world.rows.subtask(id);
    REQUIRE(world.table.startSubtask({}, row, kNode, true) == proto::TransitionOutcome::kApplied);
    executor::RunEnd end;
    end.id = id;
    end.write = executor::EndWrite::kFinish;
    node.unwritten.keep(std::move(end));
  }
  node.hurry = GENERATE(true, false);
  world.rows.inject({.method = "finishSubtask", .error = Error(ErrorCode::kTimedOut, "locked")});
  CHECK(executor::flushUnwrittenEnds(node, world.table) == (node.hurry ? 1 : 3));
  CHECK(world.numInState(task, SubtaskState::kSucceed) == (node.hurry ? 2 : 0));
  CHECK(world.state(ids[0]) == SubtaskState::kRunning);
}

TEST_CASE("Nothing is started after a stop", "[executor][stop]") {
  Stopping stopping;
  stopping.stop();
  REQUIRE(stopping.stopped());
  const auto calls = stopping.world.rows.calls().size();
  stopping.node.manager.nudge();
  const auto begin = stopping.world.clock.now();
  REQUIRE(stopping.world.runUntil([&] { return stopping.world.clock.now() - begin > 5s; }));
  CHECK(stopping.world.rows.calls().size() == calls);
}

TEST_CASE("A vanishing Manager cancels its runs and writes nothing", "[executor][stop]") {
  Stopping stopping;
  const auto before = *stopping.world.rows.subtask(stopping.ids[0]);
  stopping.node.manager.cancel();
  REQUIRE(stopping.world.runUntil([&] { return stopping.blocker.numWaiting() == 0; }));
  REQUIRE(stopping.world.runUntil([&] { return stopping.node.manager.tasks().empty(); }));
  CHECK(stopping.node.manager.stop() == 0);
  const auto after = *stopping.world.rows.subtask(stopping.ids[0]);
  CHECK(after.state == SubtaskState::kRunning);
  CHECK(after.token == before.token);
  // The next process of this node finds the row at its first poll.
  storage::MemoryTaskTable next(stopping.world.rows);
  CHECK(next.takeOrphans({}, kNode, stopping.task, 3).size() == 1);
}

TEST_CASE(
    "What an executor that was cancelled without a word left is given back at the next poll", "[executor][stop]"
) {
  World world;
  ManagedNode node(world);
  Blocker blocker;
  world.script.run = [&](auto& context, auto&) { blocker.wait(context); };
  const auto task = world.addTask();
  const auto id = world.addSubtask(task);
  auto& services = node.manager.node();
  RunningExecutor running(world, services, task);
  running.start();
  REQUIRE(world.runUntil([&] { return blocker.numWaiting() == 1; }));
  running->cancel();
  REQUIRE(world.runUntil([&] { return running.returned(); }));
  CHECK(world.state(id) == SubtaskState::kRunning);
  world.setTaskState(task, proto::TaskState::kPaused);
  node.manager.start();
  CHECK(world.runUntil([&] { return world.state(id) == SubtaskState::kPending; }));
}

TEST_CASE("A stop waits for what may not run twice and fails it at the deadline", "[executor][stop]") {
  World world;
  world.settings.stop_deadline = 10s;
  ManagedNode node(world);
  node.offer();
  Blocker blocker;
  world.script.is_idempotent = [](const auto&) { return false; };
  world.script.run = [&](auto& context, auto&) { blocker.wait(context); };
  const auto id = world.addSubtask(world.addTask());
  node.manager.start();
  REQUIRE(world.runUntil([&] { return blocker.numWaiting() == 1; }));
  runtime::ThreadGroup threads;
  std::atomic<int> left{-1};
  const auto begin = world.clock.now();
  threads.spawn("stop", [&] { left = static_cast<int>(node.manager.stop()); });
  const bool lets_go = GENERATE(true, false);
  if (lets_go) blocker.letGo();
  const bool stopped = world.runUntil([&] { return left >= 0; });
  blocker.letGo();
  threads.join();
  REQUIRE(stopped);
  CHECK(left == 0);
  if (lets_go) {
    CHECK(world.state(id) == SubtaskState::kSucceed);
  } else {
    CHECK(world.clock.now() - begin >= 10s);
    CHECK(world.rows.subtask(id)->error == "subtask in running state and is not idempotent");
  }
}

TEST_CASE("A stop does not wait for ever for a run that ignores its cancel, and says so", "[executor][stop]") {
  World world;
  world.settings.stop_deadline = 10s;
  ManagedNode node(world);
  node.offer();
  std::atomic<bool> open{false};
  world.script.run = [&](auto&, auto&) {
    while (!open) runtime::Wakeup(runtime::systemClock()).waitFor({}, 1ms);
  };
  const auto id = world.addSubtask(world.addTask());
  node.manager.start();
  REQUIRE(world.runUntil([&] { return world.state(id) == SubtaskState::kRunning; }));
  runtime::ThreadGroup threads;
  std::atomic<int> left{-1};
  threads.spawn("stop", [&] { left = static_cast<int>(node.manager.stop()); });
  const bool stopped = world.runUntil([&] { return left >= 0; });
  open = true;
  threads.join();
  REQUIRE(stopped);
  CHECK(left == 1);
  CHECK(world.runUntil([&] { return node.manager.tasks().empty(); }));
}

TEST_CASE("A stop while the store is away ends and keeps what it could not write", "[executor][stop]") {
  Stopping stopping;
  stopping.world.rows.inject({.method = "", .times = 1'000'000});
  stopping.stop();
  REQUIRE(stopping.stopped());
  CHECK(stopping.world.state(stopping.ids[0]) == SubtaskState::kRunning);
}
