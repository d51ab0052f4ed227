#pragma once
#include "disttask/runtime/cancel.hpp"

#include <cstdint>
#include <string_view>

namespace disttask::executor {

/// How plugin code came back from a subtask.
enum class RunResult : std::uint8_t {
  kSucceeded,
  kFailed,      ///< an exception of any kind that is none of the next two
  kRetryable,   ///< a transient error
  kHandedBack,  ///< this node cannot run it, another may
  kStoreAway,   ///< a transient error after a checkpoint could not be read or written: our store's failure, not an
                ///< attempt
};

/// What is then written to the row (all guarded by the run token).
enum class EndWrite : std::uint8_t {
  kFinish,             ///< succeed, with the result meta
  kFail,               ///< failed, with the run's error
  kFailNotIdempotent,  ///< failed, with the text of errNonIdempotentSubtask: it was stopped and may not run again
  kCancel,             ///< canceled
  kPause,              ///< paused
  kGiveBack,           ///< pending, not counted as an attempt
  kRetryLater,         ///< pending after a back-off, or failed when the type's retries are used up
  kHandBack,           ///< pending, for another node
  kLeave,  ///< nothing now: the executor was cancelled without a word; the Manager gives the row back at a graceful
           ///< stop
};
[[nodiscard]] std::string_view toString(EndWrite write) noexcept;

/// Decides from how a run ended and why it was cancelled. Pure; the whole policy is this table (contract 4.7, design
/// rules 8, 11-13):
///
/// A success is always finished: the cancel came too late, and the token drops the write if the row is not ours any
/// more. Otherwise the cause decides: kCancelSubtask cancels, kTaskPaused pauses, kClosed leaves the row, every other
/// cause gives it back. What may not run again fails instead of being paused or given back. Without a cause the result
/// decides.
[[nodiscard]] EndWrite decideEnd(RunResult result, runtime::CancelCause cause, bool idempotent) noexcept;

/// True if this cause may cancel a run. Pause, preemption and the first phase of a stop wait for runs that are not
/// idempotent (design rule 12).
[[nodiscard]] bool mayInterrupt(runtime::CancelCause cause, bool idempotent) noexcept;

}  // namespace disttask::executor
