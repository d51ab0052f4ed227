#include "archive_key.hpp"

#include "disttask/plugin_common/json_fields.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

// A part that is an expression has no column.
constexpr sqlclient::Sql kUniqueKeys{
    "sql_batch.unique_keys",
    "select s.index_name, lower(coalesce(s.column_name, '(expression)')), lower(coalesce(c.column_type, '')), "
    "lower(coalesce(c.collation_name, '')), cast(coalesce(s.sub_part, 0) as signed) "
    "from information_schema.statistics s left join information_schema.columns c on c.table_schema = s.table_schema "
    "and c.table_name = s.table_name and c.column_name = s.column_name "
    "where s.table_schema = ? and s.table_name = ? and s.non_unique = 0"};
// A TiDB may have been set up to compare by bytes whatever the collation's name says.
constexpr sqlclient::Sql kFoldsCase{
    "sql_batch.folds_case", "select cast(_utf8mb4 'a' collate utf8mb4_general_ci = _utf8mb4 'A' as signed)"};

struct KeyPart {
  std::string type;
  std::string collation;
  std::int64_t characters = 0;  ///< of a prefix; 0: all of the column
};
using KeyParts = std::map<std::string, KeyPart>;  // by column, in lower case

std::map<std::string, KeyParts> uniqueKeys(sqlclient::Connection& connection, const TableName& table) {
  std::map<std::string, KeyParts> keys;
  auto rows = connection.query(kUniqueKeys, {table.schema, table.table});
  while (rows.next()) {
    keys[rows.getString(1)][rows.getString(2)] = {
        plainType(rows.getString(3)), plainCollation(rows.getString(4)), rows.getInt(5)};
  }
  return keys;
}

bool hasSameColumns(const KeyParts& left, const KeyParts& right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), [](const auto& a, const auto& b) {
           return a.first == b.first;
         });
}

std::string described(const KeyPart& part) {
  return part.type + (part.collation.empty() ? "" : " collate " + part.collation);
}

bool foldsCase(sqlclient::Connection& connection) {
  auto rows = connection.query(kFoldsCase, {});
  return rows.next() && rows.getInt(1) != 0;
}

void requireSameParts(const std::string& table, const std::string& index, const KeyParts& wanted, const KeyParts& has) {
  for (const auto& [column, part] : has) {
    if (part.characters != 0) {
      fail(
          "archive.table: the key '" + index + "' of " + table + " holds only the beginning of column '" + column +
          "'; rows could replace each other there"
      );
    }
    const KeyPart& other = wanted.at(column);
    if (part.type != other.type || part.collation != other.collation) {
      fail(
          "archive.table: key column '" + column + "' of " + table + " is " + described(part) +
          ", and that of the table is " + described(other) +
          "; rows with different keys here could replace each other there"
      );
    }
  }
}

}  // namespace

std::string plainType(std::string type) {
  type.erase(std::min(type.find("/*"), type.size()));  // MariaDB's notes about formats
  if (const auto zerofill = type.find(" zerofill"); zerofill != std::string::npos) type.erase(zerofill);
  while (!type.empty() && type.back() == ' ') type.pop_back();
  // The width of whole numbers: MySQL 8 has none.
  const auto open = type.find('(');
  if (open == std::string::npos) return type;
  const std::string_view name = std::string_view(type).substr(0, open);
  const bool is_whole = name == "year" || (name.size() >= 3 && name.substr(name.size() - 3) == "int");
  if (is_whole) type.erase(open, type.find(')') - open + 1);
  return type;
}

std::string plainCollation(const std::string& name) {
  return name.rfind("utf8_", 0) == 0 ? "utf8mb3_" + name.substr(5) : name;
}

void requireSameKey(sqlclient::Connection& source, sqlclient::Connection& archive, const TaskNote& note) {
  const TableName& to = note.work.archive->table;
  const KeyParts wanted = uniqueKeys(source, note.work.table)[note.key.index];
  std::string list;
  for (const KeyColumn& column : note.key.columns) list += (list.empty() ? "" : ", ") + column.name;
  const auto keys = uniqueKeys(archive, to);
  if (keys.empty()) {
    fail(
        "archive.table: " + to.toString() + " needs a primary or unique key (" + list +
        "), so that no row is in it twice"
    );
  }
  bool has_text = false;
  for (const auto& [name, parts] : keys) {
    if (!hasSameColumns(parts, wanted)) {
      fail(
          "archive.table: " + to.toString() + " has another unique key, '" + name +
          "'; rows could replace each other there"
      );
    }
    requireSameParts(to.toString(), name, wanted, parts);
  }
  for (const auto& [column, part] : wanted) has_text = has_text || !part.collation.empty();
  if (has_text && foldsCase(source) != foldsCase(archive)) {
    fail(
        "archive.table: the server of " + to.toString() +
        " compares text otherwise than the table's server; rows with different keys here could replace each other there"
    );
  }
}

}  // namespace disttask::sql_batch
