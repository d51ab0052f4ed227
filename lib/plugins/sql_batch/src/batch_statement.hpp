#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::sql_batch {

enum class StatementKind : std::uint8_t { kUpdate, kDelete, kInsertSelect };
[[nodiscard]] std::string_view toString(StatementKind kind) noexcept;

/// SCHEMA.TABLE, as a user writes it.
struct TableName {
  std::string schema;
  std::string table;
  [[nodiscard]] std::string toString() const { return schema + "." + table; }
  friend bool operator==(const TableName&, const TableName&) = default;
};

/// Whether a server that ignores the case of table names may take the two for one table.
[[nodiscard]] bool mayBeSame(const TableName& a, const TableName& b);

/// The user's statement with its placeholder for the key range. A value.
struct BatchStatement {
  StatementKind kind = StatementKind::kUpdate;
  std::string before;                 ///< the text up to {range}
  std::string after;                  ///< and behind it, without a closing semicolon
  std::string alias;                  ///< of {range:alias}; empty: key columns stand bare
  TableName target;                   ///< what changes: the table itself, or that of an insert
  std::string called;                 ///< by what name the statement knows the walked table: its alias, or its own
  bool plain = false;                 ///< one table without alias, join or partition
  bool joined = false;                ///< an update that reads other tables beside the walked one
  bool updates_duplicates = false;    ///< an insert with ON DUPLICATE KEY UPDATE
  std::vector<std::string> assigned;  ///< columns of `target` that the statement sets, as written

  /// Returns the statement for one range; `condition` is a boolean expression over the key.
  [[nodiscard]] std::string render(const std::string& condition) const;
  /// Returns the select of an archive: the rows of the range that a delete would take, all columns, locked.
  [[nodiscard]] std::string renderSelect(
      const std::string& columns, const TableName& from, const std::string& condition
  ) const;
};

/// Checks a statement and takes it apart; it works on `table`. Throws kInvalidArgument with one sentence: several
/// statements, another kind of statement, no or several {range}, a {range} that does not bound the statement (not in
/// the outer where, beside an `or`) or bounds another table, limit and order by, aggregates, another table that would
/// change, an insert into the table that is read.
[[nodiscard]] BatchStatement parseStatement(std::string_view text, const TableName& table);

}  // namespace disttask::sql_batch
