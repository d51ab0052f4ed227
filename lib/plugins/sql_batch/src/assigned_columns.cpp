#include "assigned_columns.hpp"

#include "disttask/plugin_common/json_fields.hpp"

#include <algorithm>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

constexpr sqlclient::Sql kColumn{
    "sql_batch.column",
    "select column_name, lower(column_name), lower(extra) from information_schema.columns "
    "where table_schema = ? and table_name = ? and lower(column_name) = lower(?)"};

// Bytes beside those of ASCII must be the same: a server may take ö for o when it compares.
bool isSameName(const std::string& a, const std::string& b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool holds(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

std::vector<std::string> assignedColumns(sqlclient::Connection& connection, const BatchStatement& statement) {
  const TableName& table = statement.target;
  std::vector<std::string> columns;
  for (const std::string& name : statement.assigned) {
    bool found = false;
    auto rows = connection.query(kColumn, {table.schema, table.table, name});
    while (rows.next()) {
      found = found || isSameName(rows.getString(1), name);
      columns.push_back(rows.getString(2));
    }
    if (found || !statement.joined) continue;
    fail(
        "statement: sets '" + name + "', expected a column of " + table.toString() +
        ", the table whose key is walked; a joined table may not change"
    );
  }
  return columns;
}

void checkOwnKey(sqlclient::Connection& connection, const TableKey& key, const BatchStatement& statement) {
  if (statement.kind != StatementKind::kUpdate) return;
  const std::vector<std::string> assigned = assignedColumns(connection, statement);
  for (const KeyColumn& column : key.columns) {
    auto rows = connection.query(kColumn, {key.table.schema, key.table.table, column.name});
    while (rows.next()) {
      if (std::find(assigned.begin(), assigned.end(), rows.getString(2)) != assigned.end()) {
        fail(
            "statement: sets '" + column.name +
            "', a column of the key by which the table is walked; a row could be met twice"
        );
      }
      const std::string extra = rows.getString(3);
      const bool updated = holds(extra, "on update");
      // Not MySQL's DEFAULT_GENERATED, which only an insert computes.
      if (!updated && !holds(extra, "stored generated") && !holds(extra, "virtual generated")) continue;
      fail(
          "key: the server gives column '" + column.name + "' of index '" + key.index + "' a new value when a row is " +
          "updated (" + (updated ? "ON UPDATE" : "generated column") +
          "), so that a row could be met twice; name another unique index"
      );
    }
  }
}

}  // namespace disttask::sql_batch
