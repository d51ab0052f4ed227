#pragma once
#include "chunk_meta.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "row_hash.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace disttask::csv_import {

inline constexpr std::int32_t kStepImport = 1;
inline constexpr std::int32_t kStepVerify = 2;

/// What a ledger row says about a chunk, or about a part of a verification.
struct LedgerRow {
  std::uint64_t records = 0;
  std::uint64_t rows = 0;
  std::uint64_t bad = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
  RowSum row_sum;
};

/// Sums over the rows of one step.
struct LedgerSums {
  std::uint64_t count = 0;
  LedgerRow total;  ///< its hash is the sum modulo 2^64
};

/// What the planner keeps about a task, in the row of step 0: which task's rows it goes on with, and what a resumed
/// task must share.
struct TaskNote {
  std::int64_t root =
      0;  ///< the task whose id the chunks' rows carry: this one, or the first of a chain of resumed ones
  std::string identity;  ///< identityOf(options)
  FileIdentity file;
  std::vector<std::string> columns;
  std::optional<ImportTotals> totals;  ///< once planning is complete; without hash_sum

  [[nodiscard]] std::string dump() const;
  [[nodiscard]] static TaskNote parse(std::string_view text);
};

/// The table that says, in the same transaction as the data, which chunks are in: the fence and the memory of an
/// import. The transactions are the caller's. Errors as Connection; a missing table names the command that makes it.
class Ledger {
 public:
  /// `table` is SCHEMA.TABLE; `connection_name` is for messages.
  Ledger(const std::string& table, std::string store_id, std::string connection_name);

  /// Takes the row of a chunk; false when it is taken. Waits for a transaction that has just taken it.
  bool take(sqlclient::Connection& connection, std::int64_t task, std::int32_t step, std::int32_t ordinal) const;
  /// Writes the numbers into a row that is there.
  void finish(
      sqlclient::Connection& connection,
      std::int64_t task,
      std::int32_t step,
      std::int32_t ordinal,
      const LedgerRow& row
  ) const;
  std::optional<LedgerRow> read(
      sqlclient::Connection& connection, std::int64_t task, std::int32_t step, std::int32_t ordinal
  ) const;
  LedgerSums sums(sqlclient::Connection& connection, std::int64_t task, std::int32_t step) const;

  std::optional<TaskNote> readNote(sqlclient::Connection& connection, std::int64_t task) const;
  /// Writes a task's note. A root that is another task's is refreshed in the same transaction; throws kPrecondition
  /// when its rows are gone or going: chunks that they say are in would go in again. Not in a transaction.
  void putNote(sqlclient::Connection& connection, std::int64_t task, const TaskNote& note) const;
  /// Notes that a task has ended; from now on its rows age. Not in a transaction.
  void markEnded(sqlclient::Connection& connection, std::int64_t task) const;
  /// Deletes the rows of tasks of this type that ended more than so many days ago, a few tasks at a time; those whose
  /// rows a task that stays goes on with stay too. Not in a transaction.
  void forgetOlder(sqlclient::Connection& connection, std::int64_t days) const;

  [[nodiscard]] const std::string& storeId() const noexcept { return store_id_; }

 private:
  bool claimForDeletion(sqlclient::Connection& connection, std::int64_t task, bool is_marked, std::int64_t days) const;
  template <typename F>
  auto guarded(F body) const;
  [[nodiscard]] sqlclient::Values key(std::int64_t task, std::int32_t step, std::int32_t ordinal) const;

  const std::string name_;
  const std::string table_;  // quoted
  const std::string store_id_;
  const std::string connection_name_;
};

}  // namespace disttask::csv_import
