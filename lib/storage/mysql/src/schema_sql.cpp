#include "schema_sql.hpp"

#include "disttask/storage/mysql/schema.hpp"

namespace disttask::storage::mysql {

namespace {

using statements::ColumnDefinition;
using statements::IndexDefinition;
using statements::TableDefinition;

std::string columnSql(const ColumnDefinition& column) {
  std::string sql = quoteName(column.name) + " " + std::string(column.type);
  // Explicit for timestamps too: what they default to otherwise depends on the server's settings.
  sql.append(column.nullable ? " null" : " not null");
  if (!column.default_value.empty()) {
    sql.append(" default ").append(column.default_value);
  } else if (column.nullable) {
    sql.append(" default null");
  }
  if (column.auto_increment) sql.append(" auto_increment");
  return sql;
}

std::string quoteColumns(std::string_view columns) {
  std::string sql;
  while (!columns.empty()) {
    const auto comma = columns.find(", ");
    sql.append(sql.empty() ? "" : ", ").append(quoteName(columns.substr(0, comma)));
    columns.remove_prefix(comma == std::string_view::npos ? columns.size() : comma + 2);
  }
  return sql;
}

std::string indexSql(const IndexDefinition& index) {
  const auto columns = " (" + quoteColumns(index.columns) + ")";
  if (index.name == "PRIMARY") return "primary key" + columns;
  return (index.unique ? "unique key " : "key ") + quoteName(index.name) + columns;
}

}  // namespace

std::string quoteName(std::string_view name) {
  std::string quoted = "`";
  for (const char c : name) quoted.append(c == '`' ? 2 : 1, c);
  return quoted + "`";
}

std::string quoteTableName(std::string_view table) {
  const auto dot = table.find('.');
  if (dot == std::string_view::npos) return quoteName(table);
  return quoteName(table.substr(0, dot)) + "." + quoteName(table.substr(dot + 1));
}

std::string createTableSql(const TableDefinition& table, std::string_view quoted_name) {
  std::string sql = "create table if not exists ";
  sql.append(quoted_name).append(" (");
  const char* separator = "\n  ";
  for (const auto& column : table.columns) {
    sql.append(separator).append(columnSql(column));
    separator = ",\n  ";
  }
  for (const auto& index : table.indexes) sql.append(separator).append(indexSql(index));
  return sql + "\n) engine=InnoDB default charset=utf8mb4 collate=utf8mb4_bin";
}

std::string createIndexSql(std::string_view table, const IndexDefinition& index) {
  return "alter table " + quoteName(table) + " add " + indexSql(index);
}

std::string createDatabaseSql(std::string_view schema) {
  return "create database if not exists " + quoteName(schema) + " default character set utf8mb4 collate utf8mb4_bin";
}

std::string dumpSql(
    std::string_view schema, std::int32_t version, const std::vector<statements::TableDefinition>& tables
) {
  std::string sql =
      "-- The tables of disttask, version " + std::to_string(version) + ". Running it again changes nothing.\n";
  sql.append(createDatabaseSql(schema)).append(";\nuse ").append(quoteName(schema)).append(";\n\n");
  const auto add = [&](const TableDefinition& table) {
    sql.append(createTableSql(table, quoteName(table.name))).append(";\n\n");
  };
  add(statements::kSchemaTable);
  for (const auto& table : tables) add(table);
  for (const auto& row : statements::kSeedRows) sql.append(row.insert.text).append(";\n");
  sql.append("-- Last, so that a daemon does not start on half of it.\n");
  return sql.append(statements::dumpSchemaRowText(version)).append(";\n");
}

std::string ledgerSql(const std::string& table) {
  return createTableSql({"", statements::kLedgerColumns, statements::kLedgerIndexes}, quoteTableName(table));
}

}  // namespace disttask::storage::mysql
