#include "table_checks.hpp"

#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/table_facts.hpp"

#include <algorithm>

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

void checkCascades(sqlclient::Connection& connection, const BatchWork& work, const BatchStatement& statement) {
  if (work.allow_cascades || statement.kind == StatementKind::kInsertSelect) return;
  const bool deletes = statement.kind == StatementKind::kDelete;
  auto rows = connection.query(kCascades, {work.table.schema, work.table.table});
  while (rows.next()) {
    const bool touched =
        deletes ||
        std::find(statement.assigned.begin(), statement.assigned.end(), rows.getString(5)) != statement.assigned.end();
    if (!touched || !acts(rows.getString(deletes ? 3 : 4))) continue;
    fail(
        "table " + work.table.toString() + ": the foreign key '" + rows.getString(1) + "' of table " +
        rows.getString(2) + " would change rows there too; \"allow\": [\"cascades\"] says that this is meant"
    );
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
  checkCascades(connection, work, statement);
}

void refuseLedger(const plugin_common::ConnectionInfo& info, const BatchWork& work, const BatchStatement& statement) {
  info.refuseLedger(work.table.schema, work.table.table, "table");
  info.refuseLedger(statement.target.schema, statement.target.table, "statement");
}

}  // namespace disttask::sql_batch
