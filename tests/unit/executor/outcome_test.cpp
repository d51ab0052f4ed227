#include "disttask/executor/outcome.hpp"

#include "step_run.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::executor;
using runtime::CancelCause;

namespace {
constexpr CancelCause kAllCauses[] = {
    CancelCause::kNone,
    CancelCause::kShutdown,
    CancelCause::kPreempted,
    CancelCause::kTaskPaused,
    CancelCause::kCancelSubtask,
    CancelCause::kTaskGone,
    CancelCause::kSubtaskMoved,
    CancelCause::kLeaseLost,
    CancelCause::kDeadline,
    CancelCause::kClosed,
};
}

TEST_CASE("A success is finished whatever the cause of a late cancel", "[executor][outcome]") {
  for (const auto cause : kAllCauses) {
    CHECK(decideEnd(RunResult::kSucceeded, cause, true) == EndWrite::kFinish);
    CHECK(decideEnd(RunResult::kSucceeded, cause, false) == EndWrite::kFinish);
  }
}

TEST_CASE("Without a cause the result of a run decides", "[executor][outcome]") {
  CHECK(decideEnd(RunResult::kFailed, CancelCause::kNone, true) == EndWrite::kFail);
  CHECK(decideEnd(RunResult::kRetryable, CancelCause::kNone, true) == EndWrite::kRetryLater);
  CHECK(decideEnd(RunResult::kRetryable, CancelCause::kNone, false) == EndWrite::kFail);
  CHECK(decideEnd(RunResult::kHandedBack, CancelCause::kNone, true) == EndWrite::kHandBack);
  CHECK(decideEnd(RunResult::kStoreAway, CancelCause::kNone, true) == EndWrite::kGiveBack);
  CHECK(decideEnd(RunResult::kStoreAway, CancelCause::kNone, false) == EndWrite::kFail);
}

TEST_CASE("With a cause the result of a run does not matter unless it succeeded", "[executor][outcome]") {
  struct Row {
    CancelCause cause;
    EndWrite idempotent;
    EndWrite not_idempotent;
  };
  const Row table[] = {
      {CancelCause::kCancelSubtask, EndWrite::kCancel, EndWrite::kCancel},
      {CancelCause::kTaskPaused, EndWrite::kPause, EndWrite::kFailNotIdempotent},
      {CancelCause::kShutdown, EndWrite::kGiveBack, EndWrite::kFailNotIdempotent},
      {CancelCause::kPreempted, EndWrite::kGiveBack, EndWrite::kFailNotIdempotent},
      {CancelCause::kTaskGone, EndWrite::kGiveBack, EndWrite::kFailNotIdempotent},
      {CancelCause::kSubtaskMoved, EndWrite::kGiveBack, EndWrite::kFailNotIdempotent},
      {CancelCause::kLeaseLost, EndWrite::kGiveBack, EndWrite::kFailNotIdempotent},
      {CancelCause::kDeadline, EndWrite::kGiveBack, EndWrite::kFailNotIdempotent},
      {CancelCause::kClosed, EndWrite::kLeave, EndWrite::kLeave},
  };
  for (const auto& row : table) {
    for (const auto result :
         {RunResult::kFailed, RunResult::kRetryable, RunResult::kHandedBack, RunResult::kStoreAway}) {
      CAPTURE(toString(row.cause));
      CHECK(decideEnd(result, row.cause, true) == row.idempotent);
      CHECK(decideEnd(result, row.cause, false) == row.not_idempotent);
    }
  }
}

TEST_CASE(
    "What may not run twice is spared by pause, preemption and the first phase of a stop", "[executor][outcome]"
) {
  for (const auto cause : kAllCauses) {
    CHECK(mayInterrupt(cause, true));
    const bool spares =
        cause == CancelCause::kShutdown || cause == CancelCause::kPreempted || cause == CancelCause::kTaskPaused;
    CHECK(mayInterrupt(cause, false) == !spares);
  }
}

TEST_CASE("The number of subtasks at a time follows the type, the submitter and the slots", "[executor][outcome]") {
  plugin::TaskTypeOptions options;
  proto::TaskBase task;
  const auto decide = [&](std::int32_t node_slots) { return decideParallel(options, task, node_slots).runs; };
  CHECK(decide(8) == 1);
  task.extra.parallel_subtasks = 4;
  CHECK(decide(8) == 1);  // the type allows one
  options.max_parallel_subtasks = 3;
  CHECK(decide(8) == 3);
  options.max_parallel_subtasks = 0;
  CHECK(decide(8) == 4);
  CHECK_FALSE(decideParallel(options, task, 8).borrows);
  task.extra.parallel_subtasks = 0;
  task.slots = 2;
  CHECK(decide(8) == 4);
  CHECK(decideParallel(options, task, 8).borrows);
  CHECK(decide(1) == 1);
  task.extra.parallel_subtasks.reset();
  options.parallel_subtasks = 4;
  options.max_parallel_subtasks = 1;
  CHECK(decide(8) == 4);  // the default of the type is always allowed
}
