#include "disttask/executor/outcome.hpp"

namespace disttask::executor {

using runtime::CancelCause;

std::string_view toString(EndWrite write) noexcept {
  switch (write) {
    case EndWrite::kFinish:
      return "finish";
    case EndWrite::kFail:
      return "fail";
    case EndWrite::kFailNotIdempotent:
      return "fail_not_idempotent";
    case EndWrite::kCancel:
      return "cancel";
    case EndWrite::kPause:
      return "pause";
    case EndWrite::kGiveBack:
      return "give_back";
    case EndWrite::kRetryLater:
      return "retry_later";
    case EndWrite::kHandBack:
      return "hand_back";
    case EndWrite::kLeave:
      return "leave";
  }
  return "unknown";
}

EndWrite decideEnd(RunResult result, CancelCause cause, bool idempotent) noexcept {
  if (result == RunResult::kSucceeded) return EndWrite::kFinish;
  switch (cause) {
    case CancelCause::kNone:
      break;
    case CancelCause::kCancelSubtask:
      return EndWrite::kCancel;
    case CancelCause::kClosed:
      return EndWrite::kLeave;
    case CancelCause::kTaskPaused:
      return idempotent ? EndWrite::kPause : EndWrite::kFailNotIdempotent;
    case CancelCause::kShutdown:
    case CancelCause::kPreempted:
    case CancelCause::kTaskGone:
    case CancelCause::kSubtaskMoved:
    case CancelCause::kLeaseLost:
    case CancelCause::kDeadline:
      return idempotent ? EndWrite::kGiveBack : EndWrite::kFailNotIdempotent;
  }
  switch (result) {
    case RunResult::kRetryable:
      return idempotent ? EndWrite::kRetryLater : EndWrite::kFail;
    case RunResult::kStoreAway:
      return idempotent ? EndWrite::kGiveBack : EndWrite::kFail;
    case RunResult::kHandedBack:
      return EndWrite::kHandBack;
    case RunResult::kSucceeded:
    case RunResult::kFailed:
      break;
  }
  return EndWrite::kFail;
}

bool mayInterrupt(CancelCause cause, bool idempotent) noexcept {
  switch (cause) {
    case CancelCause::kShutdown:
    case CancelCause::kPreempted:
    case CancelCause::kTaskPaused:
      return idempotent;
    default:
      return true;
  }
}

}  // namespace disttask::executor
