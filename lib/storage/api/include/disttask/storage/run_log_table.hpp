#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/runtime/clock.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace disttask::storage {

/// Most lines kept of one run, bytes of one line, and bytes of all of them.
inline constexpr std::size_t kMaxRunLogLines = 20;
inline constexpr std::size_t kMaxRunLogLineBytes = 512;
inline constexpr std::size_t kMaxRunLogBytes = 4096;
/// Most runs in one call of writeLogs.
inline constexpr std::size_t kMaxRunLogs = 64;

/// A line that a plugin logged in a run.
struct RunLogLine {
  std::chrono::milliseconds age{};  ///< when the lines were written to the store
  std::string level;                ///< "debug", "info", "warn" or "error"
  std::string text;                 ///< valid UTF-8
};

/// The last lines of one run of a subtask.
struct RunLog {
  proto::SubtaskId subtask_id;
  proto::RunToken token;         ///< of the run
  std::int64_t num_earlier = 0;  ///< lines of the run before these, which are not kept
  std::vector<RunLogLine> lines;
  // As the store has it:
  proto::ExecId exec_id;        ///< node of the run
  std::int64_t written_ms = 0;  ///< since the epoch by the store
};

/// The last lines that runs of subtasks logged: one row a subtask, of its latest run that logged anything. For people
/// who look at a subtask; nothing else reads them, so whoever writes them may leave some out. Same threading and
/// failure contract as TaskTable.
class RunLogTable {
 public:
  virtual ~RunLogTable() = default;

  /// Writes the lines of up to kMaxRunLogs runs of this node, each subtask once, in one statement. A run whose token
  /// its row does not show any more (taken over, or begun again) is passed over. May be repeated. Throws kStoreSchema
  /// when the tables are those of the version before, which has no place for them.
  virtual void writeLogs(const runtime::Call& call, const proto::ExecId& exec_id, const std::vector<RunLog>& logs) = 0;
  /// Returns the lines kept of a subtask; nothing when there are none, or no place for them. Its row may be in history.
  virtual std::optional<RunLog> findLog(const runtime::Call& call, proto::SubtaskId id) = 0;
  /// Deletes lines that were written longer than `keep` ago, oldest first, at most `limit` subtasks'; returns how many.
  /// With an owner fenced by its life, as HistoryTable; without, it is harmless beside others.
  virtual std::int64_t forgetLogs(
      const runtime::Call& call, std::optional<proto::Life> owner, runtime::Duration keep, std::int32_t limit
  ) = 0;
};

}  // namespace disttask::storage
