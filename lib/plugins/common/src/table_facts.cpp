#include "disttask/plugin_common/table_facts.hpp"

#include "disttask/plugin_common/json_fields.hpp"

#include <algorithm>

namespace disttask::plugin_common {
namespace {

constexpr sqlclient::Sql kFindTable{
    "plugin.find_table",
    "select coalesce(engine, ''), table_type from information_schema.tables where table_schema = ? and table_name = ?"};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

}  // namespace

void requireTransactionalTable(
    sqlclient::Connection& connection, const std::string& where, const std::string& schema, const std::string& table
) {
  auto rows = connection.query(kFindTable, {schema, table});
  const std::string name = schema + "." + table;
  if (!rows.next()) fail(where + ": there is no table " + name);
  if (rows.getString(2) != "BASE TABLE") {
    fail(where + ": " + name + " is a " + lower(rows.getString(2)) + ", not a table");
  }
  const std::string engine = rows.getString(1);
  if (lower(engine) != "innodb") {
    fail(
        where + ": table " + name + " has the storage engine " + engine +
        ", which cannot take a chunk in one transaction; InnoDB can"
    );
  }
}

}  // namespace disttask::plugin_common
