#pragma once
#include "disttask/base/error.hpp"

namespace disttask::executor {

/// The cause "cancel subtasks": a task reverts, so its running subtasks are cancelled (DXF's ErrCancelSubtask).
[[nodiscard]] inline Error errCancelSubtask() {
  return {ErrorCode::kCancelled, "cancel subtasks"};
}

/// A subtask was left running by a run that is over and may not run again (DXF's ErrNonIdempotentSubtask).
[[nodiscard]] inline Error errNonIdempotentSubtask() {
  return {ErrorCode::kNonIdempotent, Reaction::kGiveUp, "subtask in running state and is not idempotent"};
}

}  // namespace disttask::executor
