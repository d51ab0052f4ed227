// How runs of subtasks end, and what is then written.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using Catch::Matchers::Contains;
using proto::SubtaskState;
using proto::TaskState;
using runtime::CancelCause;

namespace {

const Error kBroken{ErrorCode::kPluginFailed, "broken"};
const Error kTransient{ErrorCode::kPluginFailed, Reaction::kRetry, "not now"};

struct Runs {
  World world;
  proto::TaskId task = world.addTask();
  executor::NodeServices node{world.settings, world.clock, world.lease};
  Blocker blocker;

  void block() {
    world.script.run = [this](auto& context, auto&) { blocker.wait(context); };
  }
  bool runToEnd(RunningExecutor& running) {
    running.start();
    return world.runUntil([&] { return running.returned(); }, 100ms);
  }
  bool waitForRuns(int count) {
    return world.runUntil([&] { return blocker.numWaiting() == count; }, 10ms);
  }
  [[nodiscard]] std::string errorOf(proto::SubtaskId id) const { return world.rows.subtask(id)->error; }
};

}  // namespace

TEST_CASE("A result meta, the final summary and onFinished's change are written with the finish", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.script.run = [](auto& context, auto& subtask) {
    context.addProgress(10, 200, 300);
    subtask.meta = "ran";
  };
  runs.world.script.on_finished = [](auto&, auto& subtask) { subtask.meta += " and finished"; };
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  const auto row = runs.world.rows.subtask(id);
  CHECK(row->state == SubtaskState::kSucceed);
  CHECK(row->meta == "ran and finished");
  CHECK(proto::parseSummary(row->summary) == proto::SubtaskSummary{10, 200, 300});
}

TEST_CASE(
    "A run that counts nothing leaves the summary as the row was made, but no numbers of an earlier run",
    "[executor][ends]"
) {
  Runs runs;
  const auto fresh = runs.world.addSubtask(runs.task);
  const auto counted = runs.world.addSubtask(runs.task);
  runs.world.rows.change([&](auto& data) {
    data.subtasks.at(fresh).summary = "{}";
    data.subtasks.at(counted).summary = R"({"row_count":7})";
  });
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.world.rows.subtask(fresh)->summary == "{}");
  CHECK(runs.world.rows.subtask(counted)->summary == proto::toJson(proto::SubtaskSummary{}));
}

TEST_CASE("An exception of any kind fails the subtask with its text and the others go on", "[executor][ends]") {
  Runs runs;
  const auto ids = runs.world.addSubtasks(runs.task, 4);
  runs.world.script.run = [](auto&, auto& subtask) {
    if (subtask.ordinal == 1) throw Exception(kBroken);
    if (subtask.ordinal == 2) throw std::runtime_error("standard trouble");
    if (subtask.ordinal == 3) throw 42;  // NOLINT: plugin code may throw anything
  };
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.errorOf(ids[0]) == "broken");
  CHECK_THAT(runs.errorOf(ids[1]), Contains("standard trouble"));
  CHECK(runs.world.state(ids[2]) == SubtaskState::kFailed);
  CHECK_FALSE(runs.errorOf(ids[2]).empty());
  CHECK(runs.world.state(ids[3]) == SubtaskState::kSucceed);
  CHECK(runs.world.rows.subtask(ids[0])->end_time > 0);
  CHECK(runs.node.counters.failed == 3);
}

TEST_CASE("An exception of onFinished counts as the subtask's", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.script.on_finished = [](auto&, auto&) { throw Exception(kBroken); };
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.errorOf(id) == "broken");
}

TEST_CASE("A retryable error is tried again after the type's back-off, up to its limit", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  std::atomic<int> failures{0};
  plugin::TaskTypeOptions options;
  options.retry_limit = 2;
  options.backoff = {1s, 10s, 0};
  SECTION("and succeeds within it") {
    runs.world.script.run = [&](auto&, auto&) {
      if (++failures <= 2) throw Exception(kTransient);
    };
    RunningExecutor running(runs.world, runs.node, runs.task, options);
    const auto begin = runs.world.clock.now();
    REQUIRE(runs.runToEnd(running));
    CHECK(runs.world.state(id) == SubtaskState::kSucceed);
    CHECK(runs.world.rows.attempt(id).retries == 2);
    CHECK(runs.world.clock.now() - begin >= 3s);
    CHECK(runs.world.script.count("make 1") == 1);
  }
  SECTION("and fails with the last error beyond it") {
    runs.world.script.is_retryable = [](const Error& error) { return error.message() == "broken"; };
    runs.world.script.run = [&](auto&, auto&) {
      ++failures;
      throw Exception(kBroken);
    };
    RunningExecutor running(runs.world, runs.node, runs.task, options);
    REQUIRE(runs.runToEnd(running));
    CHECK(runs.world.state(id) == SubtaskState::kFailed);
    CHECK(failures == 3);
    CHECK(runs.errorOf(id) == "gave up after 2 retries: broken");
  }
}

TEST_CASE("A retryable error of a subtask that may not run twice fails it", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.script.is_idempotent = [](const auto&) { return false; };
  runs.world.script.run = [](auto&, auto&) { throw Exception(kTransient); };
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.errorOf(id) == "not now");
}

TEST_CASE("Beside DXF a retry that may not be fails in its words, and a hand-back is a retry", "[executor][ends]") {
  World world;
  world.settings.beside_dxf = true;
  const auto task = world.addTask();
  executor::NodeServices node{world.settings, world.clock, world.lease};
  const auto once = world.addSubtask(task);
  const auto handed_back = world.addSubtask(task);
  world.script.is_idempotent = [](const auto& subtask) { return subtask.ordinal != 1; };
  std::atomic<int> times{0};
  const bool store_fails = GENERATE(false, true);
  world.script.run = [&](auto& context, auto& subtask) {
    if (subtask.ordinal == 1 && store_fails) {
      world.rows.inject({
          .method = "updateSubtaskCheckpoint",
      });
      CHECK_THROWS(context.putCheckpoint("{}"));
    }
    if (subtask.ordinal == 1) throw Exception(kTransient);
    if (++times == 1) throw plugin::HandBack("no file here");
  };
  RunningExecutor running(world, node, task);
  running.start();
  REQUIRE(world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(world.rows.subtask(once)->error == "subtask in running state and is not idempotent");
  CHECK(world.state(handed_back) == SubtaskState::kSucceed);
  CHECK(world.rows.attempt(handed_back).retries == 1);
}

TEST_CASE("A subtask that this node cannot run is handed back and not picked again here", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.script.run = [](auto&, auto&) { throw plugin::HandBack("no file here"); };
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.world.state(id) == SubtaskState::kPending);
  CHECK(runs.world.rows.attempt(id).handed_back.contains(kNode));
  CHECK(runs.world.rows.attempt(id).last_error == "no file here");
  CHECK(runs.world.script.count("run 1") == 1);
}

TEST_CASE(
    "Cancelling the running subtask makes its row canceled without an error and the executor lives on",
    "[executor][ends]"
) {
  Runs runs;
  runs.block();
  const auto ids = runs.world.addSubtasks(runs.task, 2);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.waitForRuns(1));
  running->cancelRunningSubtask();
  REQUIRE(runs.world.runUntil([&] { return runs.world.state(ids[0]) == SubtaskState::kCanceled; }));
  CHECK(runs.errorOf(ids[0]).empty());
  CHECK_FALSE(running.returned());
  CHECK(runs.world.state(ids[1]) == SubtaskState::kPending);  // no further subtask by that step executor
  runs.world.setTaskState(runs.task, TaskState::kReverting);
  CHECK(runs.world.runUntil([&] { return running.returned(); }));
  CHECK(runs.world.state(ids[1]) == SubtaskState::kPending);
  CHECK(runs.world.log.count("subtask ended with an error") == 0);
}

TEST_CASE("An executor that sees its task reverting cancels what runs", "[executor][ends]") {
  Runs runs;
  runs.block();
  const auto id = runs.world.addSubtask(runs.task);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.waitForRuns(1));
  runs.world.setTaskState(runs.task, TaskState::kReverting);
  REQUIRE(runs.world.runUntil([&] { return running.returned(); }));
  CHECK(runs.world.state(id) == SubtaskState::kCanceled);
}

TEST_CASE(
    "Cancel writes nothing, the row is given back only when the Manager takes what was left", "[executor][ends]"
) {
  Runs runs;
  runs.block();
  const auto id = runs.world.addSubtask(runs.task);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.waitForRuns(1));
  const auto before = runs.world.rows.calls().size();
  running->cancel();
  REQUIRE(eventually([&] { return running.returned(); }));
  const auto calls = runs.world.rows.calls();
  for (std::size_t i = before; i < calls.size(); ++i) CHECK_THAT(calls[i], !Contains("Subtask") || Contains("get"));
  CHECK(runs.world.state(id) == SubtaskState::kRunning);
  CHECK(runs.world.script.count("cleanup 1/1") == 1);
  CHECK(runs.node.unwritten.size() == 1);
}

TEST_CASE("Close cancels and waits, and may be called again", "[executor][ends]") {
  Runs runs;
  runs.block();
  runs.world.addSubtask(runs.task);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.waitForRuns(1));
  running->close();
  CHECK(runs.world.script.count("cleanup 1/1") == 1);
  running->close();
}

TEST_CASE("Pause and preemption make what may run again paused or pending", "[executor][ends]") {
  Runs runs;
  runs.block();
  const auto id = runs.world.addSubtask(runs.task);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.waitForRuns(1));
  const auto [cause, state] = GENERATE(table<CancelCause, SubtaskState>(
      {{CancelCause::kTaskPaused, SubtaskState::kPaused},
       {CancelCause::kPreempted, SubtaskState::kPending},
       {CancelCause::kShutdown, SubtaskState::kPending},
       {CancelCause::kLeaseLost, SubtaskState::kPending}}
  ));
  running->interrupt(cause);
  REQUIRE(runs.world.runUntil([&] { return running.returned(); }, 10ms));
  CHECK(runs.world.state(id) == state);
  CHECK(runs.world.table.liveToken(id).value() == 0);
}

TEST_CASE("What may not run twice is waited for by pause, preemption and a stop", "[executor][ends]") {
  Runs runs;
  runs.block();
  runs.world.script.is_idempotent = [](const auto&) { return false; };
  const auto ids = runs.world.addSubtasks(runs.task, 2);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.waitForRuns(1));
  running->interrupt(GENERATE(CancelCause::kTaskPaused, CancelCause::kPreempted, CancelCause::kShutdown));
  const auto begin = runs.world.clock.now();
  REQUIRE(runs.world.runUntil([&] { return runs.world.clock.now() - begin > 5s; }));
  CHECK_FALSE(running.returned());
  CHECK(runs.world.state(ids[0]) == SubtaskState::kRunning);
  SECTION("until it succeeds") {
    runs.blocker.letGo();
    REQUIRE(runs.world.runUntil([&] { return running.returned(); }));
    CHECK(runs.world.state(ids[0]) == SubtaskState::kSucceed);
  }
  SECTION("until the deadline, which fails it") {
    running->interrupt(CancelCause::kDeadline);
    REQUIRE(runs.world.runUntil([&] { return running.returned(); }));
    CHECK(runs.errorOf(ids[0]) == "subtask in running state and is not idempotent");
  }
  CHECK(runs.world.state(ids[1]) == SubtaskState::kPending);
}

TEST_CASE("A run whose row was moved is cancelled and its row left alone", "[executor][ends]") {
  Runs runs;
  runs.block();
  const auto id = runs.world.addSubtask(runs.task);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.waitForRuns(1));
  SECTION("seen by the ownership check") {
    runs.world.rows.inject({.method = "findLostRuns", .times = 2});  // a query that did not run says nothing
    runs.world.rows.change([&](auto& data) { data.subtasks[id].exec_id = "node-b"; });
  }
  SECTION("seen by a new token on it") {
    runs.world.rows.change([&](auto& data) { data.subtasks[id].token = proto::RunToken(4711); });
  }
  const auto before = *runs.world.rows.subtask(id);
  REQUIRE(runs.world.runUntil([&] { return runs.blocker.numWaiting() == 0; }));
  REQUIRE(runs.world.runUntil([&] { return running.returned(); }, 100ms));
  const auto after = *runs.world.rows.subtask(id);
  CHECK(after.state == SubtaskState::kRunning);
  CHECK(after.exec_id == before.exec_id);
  CHECK(after.token == before.token);
  CHECK(runs.node.counters.moved_away == 1);
  CHECK(runs.node.counters.lost == 1);
}

TEST_CASE("A result for a row that is not ours any more is dropped and counted", "[executor][ends]") {
  Runs runs;
  runs.block();
  const auto id = runs.world.addSubtask(runs.task);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.waitForRuns(1));
  runs.world.rows.change([&](auto& data) { data.subtasks[id].state = SubtaskState::kPaused; });
  runs.blocker.letGo();
  REQUIRE(runs.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(runs.world.state(id) == SubtaskState::kPaused);
  CHECK(runs.node.counters.lost == 1);
}

TEST_CASE(
    "A checkpoint is kept for the next run, and one for a moved row throws and cancels the run", "[executor][ends]"
) {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  TestSignal<std::string> seen;
  std::atomic<bool> move{false};
  runs.world.script.run = [&](auto& context, auto& subtask) {
    seen.send("found:" + context.getCheckpoint());
    context.putCheckpoint("half");
    if (!move) throw Exception(kTransient);
    runs.world.rows.change([&](auto& data) { data.subtasks[subtask.id].exec_id = "node-b"; });
    try {
      context.putCheckpoint("more");
    } catch (const Exception& e) {
      seen.send("code:" + std::string(toString(e.error().code())));
    }
    seen.send("cancelled:" + std::string(toString(context.token().cause())));
  };
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.world.runUntil([&] { return seen.size() == 1; }));
  move = true;
  CHECK(seen.wait() == "found:");
  REQUIRE(runs.world.runUntil([&] { return seen.size() == 3; }));
  CHECK(seen.wait() == "found:half");
  CHECK(seen.wait() == "code:lost");
  CHECK(seen.wait() == "cancelled:" + std::string(toString(CancelCause::kSubtaskMoved)));
  CHECK(runs.world.rows.checkpoint(id) == "half");
}

TEST_CASE(
    "A run that ends because a checkpoint met a failing store is given back and not counted", "[executor][ends]"
) {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.script.run = [](auto& context, auto&) { context.putCheckpoint("half"); };
  runs.world.rows.inject(
      {.method = "updateSubtaskCheckpoint",
       .times = 5,
       .error = GENERATE(Error(ErrorCode::kStoreUnavailable, "gone"), Error(ErrorCode::kTimedOut, "late"))}
  );
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.world.state(id) == SubtaskState::kSucceed);
  CHECK(runs.world.rows.attempt(id).retries == 0);
  CHECK(runs.node.counters.given_back == 5);
}

TEST_CASE("The summary of a running subtask is written every few seconds when it changed", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.script.run = [&](auto& context, auto&) {
    context.addProgress(7, 0, 0);
    runs.blocker.wait(context);
  };
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.world.runUntil([&] { return proto::parseSummary(runs.world.rows.subtask(id)->summary).row_count == 7; })
  );
  const auto begin = runs.world.clock.now();
  REQUIRE(runs.world.runUntil([&] { return runs.world.clock.now() - begin > 10s; }));
  CHECK(runs.world.rows.numCalls("updateSubtaskSummary") == 1);
  runs.blocker.letGo();
  CHECK(runs.world.runUntil([&] { return running.returned(); }, 100ms));
}

TEST_CASE("What a run has counted stays in its row when it is cancelled, or is to be tried again", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  const bool is_cancelled = GENERATE(true, false);
  runs.world.script.run = [&](auto& context, auto&) {
    context.addProgress(7, 0, 0);
    if (!is_cancelled) throw Exception(ErrorCode::kStoreConflict, "later");
    runs.blocker.wait(context);
  };
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  if (is_cancelled) {
    REQUIRE(runs.world.runUntil([&] { return runs.world.state(id) == SubtaskState::kRunning; }));
    running->cancelRunningSubtask();
  }
  const auto target = is_cancelled ? SubtaskState::kCanceled : SubtaskState::kPending;
  REQUIRE(runs.world.runUntil([&] {
    return runs.world.state(id) == target && (is_cancelled || runs.node.counters.retried > 0);
  }));
  CHECK(proto::parseSummary(runs.world.rows.subtask(id)->summary).row_count == 7);
  running->cancel();
  CHECK(runs.world.runUntil([&] { return running.returned(); }, 100ms));
}

TEST_CASE("A finish that fails in the store is tried again, also when its answer was lost", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.rows.inject({.method = "finishSubtask", .times = 3, .after = GENERATE(false, true)});
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.world.state(id) == SubtaskState::kSucceed);
  CHECK(runs.node.counters.succeeded == 1);
  CHECK(runs.node.counters.lost == 0);
}

TEST_CASE("A finish that cannot be written in time frees the slot and is kept", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.rows.inject({.method = "finishSubtask", .times = 1'000'000});
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.world.state(id) == SubtaskState::kRunning);
  CHECK(runs.node.unwritten.size() == 1);
  // Its token stays live: nobody takes the row for an orphan.
  CHECK(runs.world.table.takeOrphans({}, kNode, runs.task, 3).empty());
}

TEST_CASE("A result that the store refuses fails the subtask instead of leaving it running", "[executor][ends]") {
  Runs runs;
  const auto id = runs.world.addSubtask(runs.task);
  runs.world.rows.inject({.method = "finishSubtask", .error = Error(ErrorCode::kStoreContent, "too long")});
  RunningExecutor running(runs.world, runs.node, runs.task);
  REQUIRE(runs.runToEnd(running));
  CHECK(runs.errorOf(id) == "the store refuses the result: too long");
  CHECK(runs.node.counters.failed == 1);
  CHECK(runs.node.counters.succeeded == 0);
  CHECK(runs.world.log.count("the store refuses the result of a subtask, it fails") == 1);
}

TEST_CASE("A run that ignores its cancel keeps its slot, and is logged and counted once", "[executor][ends]") {
  Runs runs;
  std::atomic<bool> open{false};
  runs.world.script.run = [&](auto&, auto&) {
    while (!open) runtime::Wakeup(runtime::systemClock()).waitFor({}, 1ms);
  };
  runs.world.addSubtask(runs.task);
  RunningExecutor running(runs.world, runs.node, runs.task);
  running.start();
  REQUIRE(runs.world.runUntil([&] { return runs.world.script.count("run 1") == 1; }));
  running->interrupt(CancelCause::kPreempted);
  REQUIRE(runs.world.runUntil([&] { return runs.node.counters.ignored_cancels == 1; }));
  const auto begin = runs.world.clock.now();
  REQUIRE(runs.world.runUntil([&] { return runs.world.clock.now() - begin > 10s; }, 100ms));
  CHECK(runs.node.counters.ignored_cancels == 1);
  CHECK_FALSE(running.returned());
  open = true;
  CHECK(runs.world.runUntil([&] { return running.returned(); }));
}
