#pragma once
#include "batch_statement.hpp"
#include "disttask/base/json.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace disttask::sql_batch {

enum class KeyKind : std::uint8_t {
  kNumber,  ///< integers and decimals: written as digits
  kText,    ///< char, varchar: the column's own bytes, in its own character set and collation
  kBinary,  ///< binary, varbinary
  kTime,    ///< date, datetime, time: written as text
};

struct KeyColumn {
  std::string name;
  KeyKind kind = KeyKind::kNumber;
  std::string charset;    ///< of text
  std::string collation;  ///< of text
};

/// Values of the key columns of one row, each as columnText() reads it. Empty: before the first row.
using KeyValues = std::vector<std::string>;

/// The unique key by which a table is walked.
struct TableKey {
  TableName table;
  std::string index;  ///< PRIMARY, or the name of a unique index
  std::vector<KeyColumn> columns;

  [[nodiscard]] Json toJson() const;
  [[nodiscard]] static TableKey fromJson(const Json& json);
};

/// Reads the index of the table. Throws kInvalidArgument: there is no such index, it is not unique, a column may be
/// NULL, is indexed by a prefix, or has a type whose order is not the same in every session, or some columns ascend and
/// others descend.
[[nodiscard]] TableKey describeKey(sqlclient::Connection& connection, const TableName& table, const std::string& index);

/// Returns the expression that reads a column so that literal() can write it again, exactly.
[[nodiscard]] std::string columnText(const KeyColumn& column);
/// Returns what was read as an SQL literal of the column's own type: a comparison uses the index. Throws kInternal for
/// what no such column holds.
[[nodiscard]] std::string literal(const KeyColumn& column, const std::string& value);
/// Returns it for people: text as it is, bytes in hexadecimal digits.
[[nodiscard]] std::string display(const TableKey& key, const KeyValues& values);

[[nodiscard]] Json toJson(const KeyValues& values);
[[nodiscard]] KeyValues keyValuesAt(const Json& json, std::string_view member);

}  // namespace disttask::sql_batch
