#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "table_key.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace disttask::sql_batch {

inline constexpr std::int32_t kStepRun = 1;

/// How far a subtask has come, as its ledger row says.
struct SegmentProgress {
  std::int64_t chunks = 0;   ///< committed so far: the row's version
  std::int64_t walked = 0;   ///< rows of the key range
  std::int64_t changed = 0;  ///< rows that the statement changed, as the server counts them
  bool done = false;
  KeyValues position;                         ///< everything up to it is applied; empty: nothing is
  std::map<std::string, std::int64_t> files;  ///< archive files of all hosts and the length that is valid
};

/// Sums over the subtasks that have begun.
struct BatchSums {
  std::int64_t segments_done = 0;
  std::int64_t chunks = 0;
  std::int64_t walked = 0;
  std::int64_t changed = 0;
};

/// The table that says, in the same transaction as the rows, how far each subtask has come. A chunk takes the row by
/// the number of chunks that it has seen there, so each position is left once, whoever runs. The transactions are the
/// caller's. Errors as Connection; a missing table names the command that makes it.
class BatchLedger {
 public:
  /// `table` is SCHEMA.TABLE; `connection_name` is for messages.
  BatchLedger(std::string table, std::string store_id, std::string connection_name);

  /// Makes the row of a subtask unless it is there. A transaction of its own.
  void begin(sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal) const;
  std::optional<SegmentProgress> read(sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal) const;
  /// Notes that a file may be written to, beside those that are noted already; returns what the row says now. A
  /// transaction of its own.
  SegmentProgress noteFile(
      sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal, const std::string& file
  ) const;
  /// Locks the row for one more chunk; false when somebody else has moved it. First in the chunk's transaction.
  bool take(sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal, std::int64_t chunks) const;
  /// Writes where the chunk has got to. In the same transaction.
  void finish(
      sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal, const SegmentProgress& progress
  ) const;
  BatchSums sums(sqlclient::Connection& connection, std::int64_t task) const;

  /// What the planner keeps about a task. putNote is a transaction of its own.
  std::optional<std::string> readNote(sqlclient::Connection& connection, std::int64_t task) const;
  void putNote(sqlclient::Connection& connection, std::int64_t task, const std::string& note) const;
  /// Marks an ended task: its rows may go after some days.
  void markEnded(sqlclient::Connection& connection, std::int64_t task) const;
  /// Deletes the rows of tasks that ended more than so many days ago.
  void forgetOlder(sqlclient::Connection& connection, std::int64_t days) const;

  [[nodiscard]] const std::string& storeId() const noexcept { return store_id_; }

 private:
  std::optional<SegmentProgress> readRow(
      sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal, const char* lock
  ) const;
  [[nodiscard]] sqlclient::Values key(std::int64_t task, std::int32_t step, std::int32_t ordinal) const;

  const std::string name_;
  const std::string table_;  // quoted
  const std::string store_id_;
  const std::string connection_name_;
};

}  // namespace disttask::sql_batch
