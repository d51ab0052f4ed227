#include "dxf_dialect.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"
#include "disttask/proto/subtask.hpp"
#include "schema_sql.hpp"

#include "statements/schema.hpp"

#include <array>
#include <cctype>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace disttask::storage::mysql {

namespace {

// The longer of two names with a common beginning first.
constexpr std::array<std::string_view, 5> kTables{
    "tidb_global_task_history",
    "tidb_global_task",
    "tidb_background_subtask_history",
    "tidb_background_subtask",
    "dist_framework_meta"};

bool isOfName(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '`' || c == '.';
}

void replaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

void qualifyTables(std::string& text, const std::string& prefix) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && isOfName(text[at - 1])) continue;
    for (const auto table : kTables) {
      if (text.compare(at, table.size(), table) != 0) continue;
      const auto end = at + table.size();
      if (end < text.size() && text[end] != '.' && isOfName(text[end])) continue;
      text.insert(at, prefix);
      at += prefix.size() + table.size() - 1;
      break;
    }
  }
}

std::set<std::string> listColumns(
    sqlclient::Connection& connection, const std::string& schema, const std::string& table
) {
  std::set<std::string> names;
  auto rows = connection.query(statements::kListColumns, {schema, table});
  while (rows.next()) names.insert(rows.getString(1));
  return names;
}

/// Returns the columns of each index in their order, as "a, b", and whether it is unique.
std::map<std::string, std::pair<bool, std::string>> listIndexes(
    sqlclient::Connection& connection, const std::string& schema, const std::string& table
) {
  std::map<std::string, std::pair<bool, std::string>> indexes;
  auto rows = connection.query(statements::kListIndexes, {schema, table});
  while (rows.next()) {
    auto& [unique, columns] = indexes[rows.getString(1)];
    unique = rows.getInt(2) == 0;
    columns += (columns.empty() ? "" : ", ") + rows.getString(3);
  }
  return indexes;
}

/// The indexes of TiDB's table of subtasks by which our statements go.
constexpr statements::IndexDefinition kSubtaskIndexesUsed[] = {
    {"PRIMARY", true, "id"},
    {"idx_exec_id", false, "exec_id"},
    {"uk_task_key_step_ordinal", true, "task_key, step, ordinal"},
};

/// What differs between versions; all else every one has.
bool mayBeMissing(std::string_view table, std::string_view column) {
  if (table == "tidb_background_subtask_history") return column == "summary";
  return column == "modify_params" || column == "max_node_count" || column == "extra_params" || column == "keyspace";
}

[[noreturn]] void refuse(const std::string& schema, const std::string& what) {
  throw Exception(
      ErrorCode::kStoreSchema,
      "schema '" + schema + "' " + what + ": expected the tables of a TiDB, version 8.1 or newer, as it makes them"
  );
}

}  // namespace

DxfShape readDxfShape(sqlclient::Connection& connection, const std::string& schema) {
  DxfShape shape;
  for (const auto& table : statements::kTables) {
    if (table.name.starts_with("disttask_")) continue;
    const std::string name(table.name);
    const auto columns = listColumns(connection, schema, name);
    if (columns.empty()) refuse(schema, "has no table " + name);
    for (const auto& column : table.columns) {
      const auto found = columns.contains(std::string(column.name));
      if (!found && !mayBeMissing(table.name, column.name))
        refuse(schema, "has a table " + name + " without column " + std::string(column.name));
    }
    if (name == "tidb_global_task") {
      shape.modify_params = columns.contains("modify_params");
      shape.max_node_count = columns.contains("max_node_count");
      shape.extra_params = columns.contains("extra_params");
    }
    if (name == "tidb_background_subtask_history") shape.history_summary = columns.contains("summary");
    if (name == "tidb_background_subtask") {
      const auto indexes = listIndexes(connection, schema, name);
      for (const auto& index : kSubtaskIndexesUsed) {
        const std::string index_name(index.name);
        const std::string wanted(index.columns);
        const auto found = indexes.find(index_name);
        if (found == indexes.end()) refuse(schema, "has a table " + name + " without index " + index_name);
        if (found->second == std::pair(index.unique, wanted)) continue;
        const std::string kind = index.unique ? "unique on (" : "on (";
        refuse(schema, "has a table " + name + " whose index " + index_name + " is not " + kind + wanted + ")");
      }
    }
  }
  return shape;
}

std::string translateForDxf(std::string text, const std::string& schema, const DxfShape& shape) {
  // Rows of one task are found by the unique key, in the order of their ordinals, and by the lower bound that the pick
  // has; a walk over all rows of the node, ended ones included, is left to statements that name no task.
  const bool of_task = text.find("task_key=") != std::string::npos;
  replaceAll(
      text, "force index (ix_exec)", of_task ? "force index (uk_task_key_step_ordinal)" : "force index (idx_exec_id)"
  );
  for (const char* alias : {"", " s", " a", " f", " c", " p", " r", " z"}) {
    const std::string table = std::string("tidb_background_subtask") + alias;
    replaceAll(text, table + " force index (ix_task)", table + " force index (uk_task_key_step_ordinal)");
  }
  if (!shape.max_node_count) replaceAll(text, "t.max_node_count", "0");
  if (!shape.extra_params) replaceAll(text, "cast(t.extra_params as char)", "cast(null as char)");
  if (!shape.modify_params) replaceAll(text, "cast(modify_params as char)", "cast(null as char)");
  if (!shape.history_summary) {
    replaceAll(text, "h.summary", "null");
    if (text.find("tidb_background_subtask_history s") != std::string::npos)
      replaceAll(text, "cast(s.summary as char)", "cast(null as char)");
  }
  qualifyTables(text, quoteName(schema) + ".");
  return text;
}

std::string summaryForDxf(const std::string& summary, const DxfShape& shape) {
  if (shape.extra_params) return summary;
  return Json(Json::Object{{"row_count", proto::parseSummary(summary).row_count}}).dump();
}

DxfDialect::DxfDialect(std::string schema, sqlclient::ConnectSettings connect)
    : schema_(std::move(schema)), connect_(std::move(connect)) {}

std::string DxfDialect::translate(const std::string& text) {
  for (const auto table : kTables) {
    if (text.find(table) != std::string::npos) return translateForDxf(text, schema_, shape());
  }
  return text;
}

DxfShape DxfDialect::shape() {
  const std::lock_guard lock(mutex_);
  // Kept: a TiDB that is upgraded gets columns, it loses none.
  if (!shape_) shape_ = readDxfShape(*sqlclient::Connection::open(connect_), schema_);
  return *shape_;
}

}  // namespace disttask::storage::mysql
