// What a store failure of each kind does to a run whose start or finish meets it.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

#include <utility>

using namespace disttask;
using namespace disttask::test;
using proto::SubtaskState;

namespace {

/// One subtask on a node, and a failure of `code` in the next calls of `method`.
struct OneRun {
  World world;
  std::atomic<int> num_runs{0};
  ManagedNode node{world};
  proto::SubtaskId id;

  OneRun(ErrorCode code, const std::string& method, int times, bool after) {
    world.script.run = [this](auto&, auto& subtask) {
      ++num_runs;
      subtask.meta = "result";
    };
    node.offer();
    id = world.addSubtask(world.addTask());
    storage::MemoryFault fault{method, 1, times, Error(code, "the store says no")};
    fault.after = after;
    world.rows.inject(fault);
    node.manager.start();
  }
  bool isDone() { return proto::isDone(world.state(id)); }
};

}  // namespace

TEST_CASE(
    "A start or finish that the store refuses for now is written when it allows it, and the subtask runs once",
    "[executor][ends]"
) {
  for (const auto code :
       {ErrorCode::kStoreUnavailable,
        ErrorCode::kStoreConflict,
        ErrorCode::kStoreReadOnly,
        ErrorCode::kStoreTooMany,
        ErrorCode::kStoreNoPrivilege,
        ErrorCode::kStoreDiskFull,
        ErrorCode::kStoreKilled,
        ErrorCode::kStoreSessionUnfit,
        ErrorCode::kTimedOut}) {
    for (const std::string method : {"startSubtask", "finishSubtask"}) {
      for (const bool after : {false, true}) {
        if (after && code != ErrorCode::kStoreUnavailable && code != ErrorCode::kStoreKilled) continue;
        CAPTURE(toString(code), method, after);
        OneRun one(code, method, 3, after);
        REQUIRE(one.world.runUntil([&] { return one.isDone(); }, 100ms));
        CHECK(one.world.state(one.id) == SubtaskState::kSucceed);
        CHECK(one.world.rows.subtask(one.id)->meta == "result");
        CHECK(one.num_runs == 1);
        CHECK(one.world.rows.attempt(one.id).abnormal_ends == 0);
        // Counted by the thread that sent it, when the answer is known: that may be after the row has changed.
        CHECK(one.world.runUntil([&] { return one.node.manager.node().counters.store_errors > 0; }, 100ms));
      }
    }
  }
}

TEST_CASE(
    "A finish whose content the store refuses fails the subtask with the store's words, at once", "[executor][ends]"
) {
  OneRun one(ErrorCode::kStoreContent, "finishSubtask", 1, false);
  REQUIRE(one.world.runUntil([&] { return one.isDone(); }));
  CHECK(one.world.state(one.id) == SubtaskState::kFailed);
  CHECK_THAT(one.world.rows.subtask(one.id)->error, Catch::Contains("the store says no"));
  CHECK(one.num_runs == 1);
}

TEST_CASE("A store that fails for longer than the retry window costs no result", "[executor][ends]") {
  OneRun one(ErrorCode::kStoreReadOnly, "finishSubtask", 1'000'000, false);
  const auto begin = one.world.clock.now();
  REQUIRE(one.world.runUntil([&] { return one.world.clock.now() - begin > 90s; }, 100ms));
  CHECK(one.world.state(one.id) == SubtaskState::kRunning);
  CHECK(one.num_runs == 1);
  one.world.rows.clearFaults();
  REQUIRE(one.world.runUntil([&] { return one.isDone(); }, 100ms));
  CHECK(one.world.state(one.id) == SubtaskState::kSucceed);
  CHECK(one.world.rows.subtask(one.id)->meta == "result");
  CHECK(one.num_runs == 1);
}

TEST_CASE(
    "A start that waits for a store that is away is no run, so the process need not end for it", "[executor][ends]"
) {
  World world;
  ManagedNode node(world);
  bool met = false;  // one run at a time
  world.script.run = [&](auto&, auto& subtask) {
    subtask.meta = "result";
    if (std::exchange(met, true)) return;
    // The finish of this run and the start of the next one, which go out as one, meet a store that is gone.
    for (const auto* method : {"finishSubtask", "startSubtask"}) {
      world.rows.inject({method, 1, 1'000'000, Error(ErrorCode::kStoreUnavailable, "the store is away")});
    }
  };
  node.offer();
  const auto task = world.addTask();
  world.addSubtasks(task, 2);
  node.manager.start();
  // The one thread of the step writes the finish again and again; the start comes after it.
  REQUIRE(world.runUntil([&] { return node.manager.node().counters.store_errors >= 3; }, 100ms));
  world.lease.open = false;
  node.manager.interruptRuns(runtime::CancelCause::kLeaseLost);
  CHECK(node.manager.numLiveRuns() == 0);
  world.lease.open = true;
  world.rows.clearFaults();
  CHECK(world.runUntil([&] { return world.numInState(task, SubtaskState::kSucceed) == 2; }, 100ms));
}
