#include "key_range.hpp"

#include "disttask/plugin_common/names.hpp"

#include <algorithm>
#include <vector>

namespace disttask::sql_batch {
namespace {

using plugin_common::quoted;

std::string columnName(const TableKey& key, std::size_t i, const std::string& alias) {
  return (alias.empty() ? "" : quoted(alias) + ".") + quoted(key.columns[i].name);
}

std::string compare(
    const TableKey& key, std::size_t i, const std::string& alias, const char* op, const KeyValues& values
) {
  return columnName(key, i, alias) + " " + op + " " + literal(key.columns[i], values[i]);
}

/// The columns from `first` on compared as one value: k1 > a or (k1 = a and (k2 > b or …)).
std::string chain(
    const TableKey& key,
    std::size_t first,
    const std::string& alias,
    const char* op,
    const char* last_op,
    const KeyValues& values
) {
  const std::size_t last = key.columns.size() - 1;
  if (first == last) return compare(key, first, alias, last_op, values);
  // The bound of the first column alone lets the server begin, and end, at the right place.
  const char* const bound = op[0] == '>' ? ">=" : "<=";
  std::string text = compare(key, first, alias, bound, values) + " and (" + compare(key, first, alias, op, values);
  std::string equal = compare(key, first, alias, "=", values);
  for (std::size_t i = first + 1; i <= last; ++i) {
    text += " or (" + equal + " and " + compare(key, i, alias, i == last ? last_op : op, values) + ")";
    equal += " and " + compare(key, i, alias, "=", values);
  }
  return text + ")";
}

std::string columnList(const TableKey& key, bool as_text, const char* suffix = "") {
  std::string text;
  for (const KeyColumn& column : key.columns) {
    text += (text.empty() ? "" : ", ") + (as_text ? columnText(column) : quoted(column.name)) + suffix;
  }
  return text;
}

std::string fromIndex(const TableKey& key) {
  return " from " + quoted(key.table.schema, key.table.table) + " force index (" + quoted(key.index) + ")";
}

std::optional<KeyValues> readKey(sqlclient::Connection& connection, const TableKey& key, const std::string& text) {
  auto rows = connection.queryDynamic("sql_batch.read_key", text, {});
  if (!rows.next()) return std::nullopt;
  KeyValues values;
  for (std::uint32_t i = 1; i <= key.columns.size(); ++i) values.push_back(rows.getString(i));
  return values;
}

}  // namespace

std::string rangeCondition(const TableKey& key, const KeyRange& range, const std::string& alias) {
  std::size_t first = 0;
  std::string text;
  if (!range.after.empty()) {
    // Equal bytes are equal in any collation. The last column always has two bounds.
    for (; first + 1 < key.columns.size() && range.after[first] == range.upto[first]; ++first) {
      text += compare(key, first, alias, "=", range.upto) + " and ";
    }
    text += chain(key, first, alias, ">", ">", range.after) + " and ";
  }
  return text + chain(key, first, alias, "<", "<=", range.upto);
}

std::optional<KeyValues> nthKey(
    sqlclient::Connection& connection, const TableKey& key, const KeyRange& range, std::int64_t rows
) {
  return readKey(
      connection,
      key,
      "select " + columnList(key, true) + fromIndex(key) + " where " + rangeCondition(key, range, "") + " order by " +
          columnList(key, false) + " limit 1 offset " + std::to_string(rows - 1)
  );
}

std::int64_t countRows(sqlclient::Connection& connection, const TableKey& key, const KeyRange& range) {
  auto rows = connection.queryDynamic(
      "sql_batch.count_rows", "select count(*)" + fromIndex(key) + " where " + rangeCondition(key, range, ""), {}
  );
  return rows.next() ? rows.getInt(1) : 0;
}

std::optional<KeyValues> lastKey(sqlclient::Connection& connection, const TableKey& key) {
  return readKey(
      connection,
      key,
      "select " + columnList(key, true) + fromIndex(key) + " order by " + columnList(key, false, " desc") + " limit 1"
  );
}

}  // namespace disttask::sql_batch
