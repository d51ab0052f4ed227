#include "table_key.hpp"

#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/names.hpp"

#include <algorithm>
#include <array>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;
using plugin_common::quoted;

constexpr sqlclient::Sql kKeyColumns{
    "sql_batch.key_columns",
    "select s.column_name, cast(s.non_unique as signed), if(s.sub_part is null, 0, 1), c.is_nullable, "
    "lower(c.data_type), coalesce(c.character_set_name, ''), coalesce(c.collation_name, ''), s.index_name, "
    "coalesce(s.collation, 'A') "
    "from information_schema.statistics s join information_schema.columns c on c.table_schema = s.table_schema "
    "and c.table_name = s.table_name and c.column_name = s.column_name "
    "where s.table_schema = ? and s.table_name = ? and lower(s.index_name) = lower(?) order by s.seq_in_index"};
// An index on an expression has no column name: the join above would lose its part.
constexpr sqlclient::Sql kNumParts{
    "sql_batch.key_parts",
    "select count(*) from information_schema.statistics "
    "where table_schema = ? and table_name = ? and lower(index_name) = lower(?)"};

constexpr std::array<std::string_view, 7> kNumbers = {
    "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"};
constexpr std::array<std::string_view, 2> kTexts = {"char", "varchar"};
constexpr std::array<std::string_view, 2> kBinaries = {"binary", "varbinary"};
constexpr std::array<std::string_view, 3> kTimes = {"date", "datetime", "time"};

template <std::size_t N>
bool isOneOf(const std::array<std::string_view, N>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

KeyKind kindOf(const std::string& type, const std::string& column, const std::string& where) {
  if (isOneOf(kNumbers, type)) return KeyKind::kNumber;
  if (isOneOf(kTexts, type)) return KeyKind::kText;
  if (isOneOf(kBinaries, type)) return KeyKind::kBinary;
  if (isOneOf(kTimes, type)) return KeyKind::kTime;
  fail(
      where + " has column '" + column + "' of type " + type +
      ", which cannot bound a chunk exactly; expected whole numbers, decimal, char, varchar, binary, varbinary, date, "
      "datetime or time"
  );
}

std::string_view toText(KeyKind kind) {
  switch (kind) {
    case KeyKind::kNumber:
      return "number";
    case KeyKind::kText:
      return "text";
    case KeyKind::kBinary:
      return "binary";
    case KeyKind::kTime:
      return "time";
  }
  return "number";
}

KeyKind kindFrom(const std::string& text) {
  for (const KeyKind kind : {KeyKind::kNumber, KeyKind::kText, KeyKind::kBinary, KeyKind::kTime}) {
    if (toText(kind) == text) return kind;
  }
  fail("key: kind '" + text + "' is not known");
}

std::string bytesOf(const std::string& hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return bytes;
}

bool consistsOf(const std::string& text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string::npos;
}

}  // namespace

Json TableKey::toJson() const {
  Json json;
  json["schema"] = table.schema;
  json["table"] = table.table;
  json["index"] = index;
  for (const KeyColumn& column : columns) {
    Json item;
    item["name"] = column.name;
    item["kind"] = toText(column.kind);
    if (column.kind == KeyKind::kText) {
      item["charset"] = column.charset;
      item["collation"] = column.collation;
    }
    json["columns"].push(std::move(item));
  }
  return json;
}

TableKey TableKey::fromJson(const Json& json) {
  using plugin_common::memberAt;
  const std::string what = "key";
  TableKey key;
  key.table = {memberAt(json, "schema", what).asString(), memberAt(json, "table", what).asString()};
  key.index = memberAt(json, "index", what).asString();
  for (const Json& item : memberAt(json, "columns", what).asArray()) {
    KeyColumn column;
    column.name = memberAt(item, "name", what).asString();
    column.kind = kindFrom(memberAt(item, "kind", what).asString());
    if (column.kind == KeyKind::kText) {
      column.charset = memberAt(item, "charset", what).asString();
      column.collation = memberAt(item, "collation", what).asString();
    }
    key.columns.push_back(std::move(column));
  }
  return key;
}

TableKey describeKey(sqlclient::Connection& connection, const TableName& table, const std::string& index) {
  TableKey key{table, index, {}};
  const std::string where = "key: index '" + index + "' of table " + table.toString();
  {
    auto rows = connection.query(kKeyColumns, {table.schema, table.table, index});
    std::string direction;
    while (rows.next()) {
      KeyColumn column;
      column.name = rows.getString(1);
      if (rows.getInt(2) != 0) fail(where + " is not unique");
      if (rows.getInt(3) != 0) fail(where + " holds only the beginning of column '" + column.name + "'");
      if (rows.getString(4) == "YES") {
        fail(where + " has column '" + column.name + "', which may be NULL: rows with NULL have no place in its order");
      }
      // An index that descends in all its columns is read backwards; one that turns around is not in the walk's order.
      if (direction.empty()) direction = rows.getString(9);
      if (rows.getString(9) != direction) {
        fail(
            where + " has ascending and descending columns ('" + column.name + "' turns around); expected one direction"
        );
      }
      column.kind = kindOf(rows.getString(5), column.name, where);
      column.charset = rows.getString(6);
      column.collation = rows.getString(7);
      key.index = rows.getString(8);
      key.columns.push_back(std::move(column));
    }
  }
  if (key.columns.empty()) {
    if (index == "PRIMARY")
      fail("key: table " + table.toString() + " has no primary key; name a unique index by 'key'");
    fail("key: table " + table.toString() + " has no index '" + index + "'");
  }
  auto parts = connection.query(kNumParts, {table.schema, table.table, index});
  if (parts.next() && parts.getInt(1) != static_cast<std::int64_t>(key.columns.size())) {
    fail(where + " holds an expression, not only columns");
  }
  return key;
}

std::string columnText(const KeyColumn& column) {
  const std::string name = quoted(column.name);
  if (column.kind == KeyKind::kText || column.kind == KeyKind::kBinary) return "hex(" + name + ")";
  // Zerofill only pads with zeros; as a number it reads the same.
  return "cast(" + name + " as char)";
}

std::string literal(const KeyColumn& column, const std::string& value) {
  const auto refuse = [&]() {
    throw Exception(ErrorCode::kInternal, "column '" + column.name + "' cannot hold the key value '" + value + "'");
  };
  switch (column.kind) {
    case KeyKind::kNumber:
      if (!consistsOf(value, "0123456789.-")) refuse();
      return value;
    case KeyKind::kTime:
      if (!consistsOf(value, "0123456789.-: ")) refuse();
      return "'" + value + "'";
    case KeyKind::kText:
    case KeyKind::kBinary:
      break;
  }
  if (!value.empty() && !consistsOf(value, "0123456789ABCDEFabcdef")) refuse();
  if (column.kind == KeyKind::kBinary) return "x'" + value + "'";
  return "_" + column.charset + " x'" + value + "' collate " + column.collation;
}

std::string display(const TableKey& key, const KeyValues& values) {
  std::string text;
  for (std::size_t i = 0; i != values.size() && i != key.columns.size(); ++i) {
    const KeyColumn& column = key.columns[i];
    if (i != 0) text += ", ";
    if (column.kind == KeyKind::kText) {
      text += "'" + bytesOf(values[i]) + "'";
    } else {
      text += column.kind == KeyKind::kBinary ? "x'" + values[i] + "'" : values[i];
    }
  }
  return values.size() > 1 ? "(" + text + ")" : text;
}

Json toJson(const KeyValues& values) {
  return Json(Json::Array(values.begin(), values.end()));
}

KeyValues keyValuesAt(const Json& json, std::string_view member) {
  KeyValues values;
  for (const Json& item : plugin_common::memberAt(json, member, "range").asArray()) values.push_back(item.asString());
  return values;
}

}  // namespace disttask::sql_batch
