#include "table_checks.hpp"

#include "assigned_columns.hpp"
#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/table_facts.hpp"

#include <algorithm>
#include <vector>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

constexpr sqlclient::Sql kTriggers{
    "sql_batch.triggers",
    "select trigger_name from information_schema.triggers where event_object_schema = ? and event_object_table = ? and "
    "event_manipulation = ?"};
constexpr sqlclient::Sql kCascades{
    "sql_batch.cascades",
    "select r.constraint_name, r.table_name, r.delete_rule, r.update_rule, lower(k.referenced_column_name) "
    "from information_schema.referential_constraints r join information_schema.key_column_usage k "
    "on k.constraint_schema = r.constraint_schema and k.constraint_name = r.constraint_name and k.table_name = "
    "r.table_name "
    "where k.referenced_table_schema = ? and k.referenced_table_name = ?"};

// The tables of the standard show keys of those tables only that the account may use. These, to an account with
// PROCESS, show all. MariaDB keeps the names as those of files, and both keep them in lower case where case is ignored.
constexpr sqlclient::Sql kMariaDbCascades{
    "sql_batch.all_cascades",
    "select f.id, f.for_name, f.type, lower(c.ref_col_name) from information_schema.innodb_sys_foreign f "
    "join information_schema.innodb_sys_foreign_cols c on c.id = f.id where cast(f.ref_name as binary) = "
    "concat(cast(convert(if(@@lower_case_table_names = 0, ?, lower(?)) using filename) as binary), '/', "
    "cast(convert(if(@@lower_case_table_names = 0, ?, lower(?)) using filename) as binary))"};
constexpr sqlclient::Sql kMySqlCascades{
    "sql_batch.all_cascades",
    "select f.id, f.for_name, f.type, lower(c.ref_col_name) from information_schema.innodb_foreign f "
    "join information_schema.innodb_foreign_cols c on c.id = f.id where f.ref_name = concat("
    "if(@@lower_case_table_names = 0, ?, lower(?)), '/', if(@@lower_case_table_names = 0, ?, lower(?)))"};
// Bits of `type`: CASCADE and SET NULL.
constexpr std::int64_t kActsOnDelete = 1 | 2;
constexpr std::int64_t kActsOnUpdate = 4 | 8;

const sqlclient::Sql* allCascades(sqlclient::Flavour flavour) {
  switch (flavour) {
    case sqlclient::Flavour::kMariaDb:
      return &kMariaDbCascades;
    case sqlclient::Flavour::kMySql:
      return &kMySqlCascades;
    case sqlclient::Flavour::kTiDb:
      break;
  }
  return nullptr;
}

void checkTriggers(sqlclient::Connection& connection, const TableName& table, const std::string& event, bool allowed) {
  if (allowed) return;
  auto rows = connection.query(kTriggers, {table.schema, table.table, event});
  if (!rows.next()) return;
  fail(
      "table " + table.toString() + " has the trigger '" + rows.getString(1) +
      "', which would run for each row; \"allow\": [\"triggers\"] says that this is meant"
  );
}

bool acts(const std::string& rule) {
  return rule == "CASCADE" || rule == "SET NULL" || rule == "SET DEFAULT";
}

[[noreturn]] void refuseCascade(const TableName& table, const std::string& key, const std::string& child) {
  fail(
      "table " + table.toString() + ": the foreign key '" + key + "' of table " + child +
      " would change rows there too; \"allow\": [\"cascades\"] says that this is meant"
  );
}

/// Whether a foreign key to `table` acts on what a statement does: it deletes, or sets `assigned` columns.
void checkCascades(
    sqlclient::Connection& connection, const TableName& table, bool deletes, const std::vector<std::string>& assigned
) {
  const auto touches = [&](const std::string& column) {
    return deletes || std::find(assigned.begin(), assigned.end(), column) != assigned.end();
  };
  {
    auto rows = connection.query(kCascades, {table.schema, table.table});
    while (rows.next()) {
      if (!touches(rows.getString(5)) || !acts(rows.getString(deletes ? 3 : 4))) continue;
      refuseCascade(table, rows.getString(1), rows.getString(2));
    }
  }
  const auto* const all = allCascades(connection.flavour());
  if (all == nullptr) return;
  try {
    auto rows = connection.query(*all, {table.schema, table.schema, table.table, table.table});
    while (rows.next()) {
      if (!touches(rows.getString(4)) || (rows.getInt(3) & (deletes ? kActsOnDelete : kActsOnUpdate)) == 0) continue;
      refuseCascade(table, rows.getString(1), rows.getString(2));
    }
  } catch (const Exception& exception) {
    if (exception.error().code() != ErrorCode::kStoreNoPrivilege) throw;  // an account without PROCESS
  }
}

}  // namespace

void checkTables(sqlclient::Connection& connection, const BatchWork& work, const BatchStatement& statement) {
  plugin_common::requireTransactionalTable(connection, "table", work.table.schema, work.table.table);
  if (statement.target != work.table) {
    plugin_common::requireTransactionalTable(connection, "statement", statement.target.schema, statement.target.table);
  }
  const char* const event = statement.kind == StatementKind::kUpdate   ? "UPDATE"
                            : statement.kind == StatementKind::kDelete ? "DELETE"
                                                                       : "INSERT";
  checkTriggers(connection, statement.target, event, work.allow_triggers);
  if (statement.updates_duplicates) checkTriggers(connection, statement.target, "UPDATE", work.allow_triggers);
  if (work.allow_cascades) return;
  if (statement.kind == StatementKind::kInsertSelect && !statement.updates_duplicates) return;
  const std::vector<std::string> assigned = assignedColumns(connection, statement);
  checkCascades(connection, statement.target, statement.kind == StatementKind::kDelete, assigned);
}

void refuseLedger(const plugin_common::ConnectionInfo& info, const BatchWork& work, const BatchStatement& statement) {
  info.refuseLedger(work.table.schema, work.table.table, "table");
  info.refuseLedger(statement.target.schema, statement.target.table, "statement");
}

}  // namespace disttask::sql_batch
