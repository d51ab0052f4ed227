#pragma once
#include "disttask/base/error.hpp"
#include "disttask/proto/ids.hpp"
#include "disttask/proto/transition.hpp"
#include "disttask/storage/run_tokens.hpp"

#include <optional>
#include <string>
#include <variant>

namespace disttask::storage {

/// The start of a pending subtask, with the row as it was read: pending → running with a fresh run token.
struct RunStart {
  proto::SubtaskId id;
  StartedAs as_read;
  bool idempotent = false;
};

/// The end of a live run that has a result: running → succeed.
struct RunFinish {
  proto::SubtaskId id;
  std::string meta;
  std::optional<std::string> summary;  ///< JSON
};

/// One write of a batch (TaskTable::writeRuns).
using RunWrite = std::variant<RunStart, RunFinish>;

/// What became of one write of a batch.
struct RunWriteResult {
  proto::TransitionOutcome outcome = proto::TransitionOutcome::kLost;
  /// Set when nothing could be concluded: what the single write would have thrown. The outcome then says nothing.
  std::optional<Error> error;
};

/// True for the error of a write that was not sent because its batch waited too long for the lock of some row: each
/// write of that batch has it, and is now better sent alone.
[[nodiscard]] inline bool shouldBeSentAlone(const Error& error) noexcept {
  constexpr int kLockWait = 1205;
  return error.code() == ErrorCode::kStoreConflict && error.storeNumber() == kLockWait;
}

/// Returns what a write adds to the size of its batch, in bytes.
[[nodiscard]] inline std::size_t sizeOf(const RunWrite& write) noexcept {
  const auto* finish = std::get_if<RunFinish>(&write);
  if (finish == nullptr) return 0;
  return finish->meta.size() + (finish->summary ? finish->summary->size() : 0);
}

/// Limits of one statement (design rule 15): a batch ends at whichever comes first. A single write may be larger.
inline constexpr std::size_t kMaxRunWrites = 64;
inline constexpr std::size_t kMaxRunWriteBytes = 1 << 20;

}  // namespace disttask::storage
