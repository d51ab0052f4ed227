#include "target_table.hpp"

#include "disttask/plugin_common/table_facts.hpp"
#include "json_fields.hpp"
#include "statements.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace disttask::csv_import {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

bool contains(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

struct IntegerType {
  std::string_view name;
  unsigned bits;
};
constexpr std::array kIntegers = {
    IntegerType{"tinyint", 8},
    IntegerType{"smallint", 16},
    IntegerType{"mediumint", 24},
    IntegerType{"int", 32},
    IntegerType{"bigint", 64}};
constexpr std::array<std::string_view, 6> kTexts = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"};
constexpr std::array<std::string_view, 6> kBinaries = {
    "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"};

void setIntegerRange(Column& column, unsigned bits, bool is_unsigned) {
  const std::uint64_t half = std::uint64_t{1} << (bits - 1);
  column.least = is_unsigned ? 0 : static_cast<std::int64_t>(~(half - 1));
  column.most = is_unsigned ? (half - 1) * 2 + 1 : half - 1;
}

// The members of enum('a','b') that are digits only; a quote within one is doubled.
std::vector<std::string> numericMembers(const std::string& column_type) {
  std::vector<std::string> numbers;
  std::string member;
  bool inside = false;
  for (std::size_t i = 0; i != column_type.size(); ++i) {
    const char c = column_type[i];
    if (c != '\'') {
      if (inside) member += c;
    } else if (!inside) {
      inside = true;
      member.clear();
    } else if (i + 1 != column_type.size() && column_type[i + 1] == '\'') {
      member += c;
      ++i;
    } else {
      inside = false;
      if (!member.empty() && member.find_first_not_of("0123456789") == std::string::npos) numbers.push_back(member);
    }
  }
  return numbers;
}

void setConverted(Column& column, const std::string& type, const ColumnFacts& facts) {
  if (type == "date") {
    column.converted = ConvertedType::kDate;
  } else if (type == "time" || type == "datetime" || type == "timestamp") {
    column.converted = type == "time" ? ConvertedType::kTime : ConvertedType::kMoment;
    column.time_digits = static_cast<std::size_t>(std::max<std::int64_t>(facts.time_digits, 0));
  } else if (type == "enum" || type == "set") {
    column.converted = ConvertedType::kList;
    column.numbers = numericMembers(facts.column_type);
  } else if (type == "bit") {
    column.converted = ConvertedType::kBits;
  }
}

std::vector<Column> readColumns(
    sqlclient::Connection& connection, const std::string& schema, const std::string& table
) {
  std::vector<Column> columns;
  auto rows = connection.query(statements::kListColumns, {schema, table});
  while (rows.next()) {
    ColumnFacts facts;
    facts.name = rows.getString(1);
    facts.data_type = rows.getString(2);
    facts.column_type = rows.getString(3);
    facts.nullable = rows.getString(4) == "YES";
    facts.has_default = rows.getInt(5) != 0;
    facts.extra = rows.getString(6);
    // longtext says 4294967295 and more; what does not fit is not checked here.
    facts.max_characters = rows.getInt(7);
    facts.max_bytes = rows.getInt(8);
    facts.charset = rows.getString(9);
    facts.time_digits = rows.getInt(10);
    columns.push_back(makeColumn(facts));
  }
  return columns;
}

std::int64_t count(sqlclient::Connection& connection, const sqlclient::Sql& sql, const TargetTable& target) {
  auto rows = connection.query(sql, {target.schema, target.table});
  return rows.next() ? rows.getInt(1) : 0;
}

}  // namespace

Column makeColumn(const ColumnFacts& facts) {
  Column column;
  column.name = facts.name;
  column.type = facts.column_type;
  column.nullable = facts.nullable;
  column.has_default = facts.has_default;
  const std::string extra = lower(facts.extra);
  column.auto_increment = contains(extra, "auto_increment");
  // MySQL says DEFAULT_GENERATED for a default that is an expression: that column takes values.
  column.generated = contains(extra, "virtual") || contains(extra, "stored") || contains(extra, "persistent");
  const std::string type = lower(facts.data_type);
  for (const IntegerType& integer : kIntegers) {
    if (type != integer.name) continue;
    column.kind = ColumnKind::kInteger;
    setIntegerRange(column, integer.bits, contains(lower(facts.column_type), "unsigned"));
  }
  if (std::find(kTexts.begin(), kTexts.end(), type) != kTexts.end()) {
    column.kind = ColumnKind::kText;
    column.fixed = type == "char";
    const std::string charset = lower(facts.charset);
    column.converts = charset != "utf8mb4";
    column.length_in_bytes = contains(type, "text");
    const bool same_bytes = charset == "utf8mb4" || charset == "utf8mb3" || charset == "utf8" || charset == "ascii";
    if (!column.length_in_bytes) {
      column.max_length = static_cast<std::uint64_t>(std::max<std::int64_t>(facts.max_characters, 0));
    } else if (same_bytes) {
      column.max_length = static_cast<std::uint64_t>(std::max<std::int64_t>(facts.max_bytes, 0));
    }
  }
  if (std::find(kBinaries.begin(), kBinaries.end(), type) != kBinaries.end()) {
    column.kind = ColumnKind::kBinary;
    column.fixed = type == "binary";
    column.length_in_bytes = true;
    column.max_length = static_cast<std::uint64_t>(std::max<std::int64_t>(facts.max_bytes, 0));
  }
  if (column.kind == ColumnKind::kOther) setConverted(column, type, facts);
  return column;
}

std::vector<std::string> TargetTable::columnsLeftOut() const {
  std::vector<std::string> names;
  for (const Column& column : columns) {
    if (column.kind == ColumnKind::kOther) names.push_back(column.name);
  }
  return names;
}

TargetTable describeTarget(
    sqlclient::Connection& connection,
    const std::string& schema,
    const std::string& table,
    const std::vector<std::string>& wanted
) {
  plugin_common::requireTransactionalTable(connection, "target", schema, table);
  std::vector<Column> present = readColumns(connection, schema, table);
  std::vector<bool> used(present.size());
  TargetTable target{schema, table, {}, {}, true, false};
  for (const std::string& name : wanted) {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i != present.size(); ++i) {
      if (present[i].name == name || (!found && lower(present[i].name) == lower(name))) found = i;
    }
    if (!found) fail("columns: table " + schema + "." + table + " has no column '" + name + "'");
    if (used[*found]) fail("columns: '" + present[*found].name + "' is named twice");
    used[*found] = true;
    target.columns.push_back(present[*found]);
    if (target.columns.back().converted == ConvertedType::kBits) {
      fail(
          "columns: '" + name + "' of table " + schema + "." + table + " is of type " + target.columns.back().type +
          ", into which a text goes by its bytes and not by its number; import into an integer column"
      );
    }
    if (target.columns.back().generated)
      fail("columns: '" + name + "' of table " + schema + "." + table + " is generated");
  }
  for (std::size_t i = 0; i != present.size(); ++i) {
    const Column& column = present[i];
    if (!used[i] && !column.nullable && !column.has_default && !column.auto_increment && !column.generated) {
      fail(
          "columns: '" + column.name + "' of table " + schema + "." + table + " has no default and is not in the file"
      );
    }
  }
  target.has_index = count(connection, statements::kNumIndexes, target) > 0;
  target.is_plain = count(connection, statements::kNumTriggers, target) == 0;
  for (std::size_t i = 0; i != present.size(); ++i)
    target.is_plain = target.is_plain && (used[i] || present[i].generated);
  auto rows = connection.query(statements::kPrimaryKey, {schema, table});
  if (rows.next()) {
    const std::string first = rows.getString(1);
    for (const Column& column : present) {
      if (column.name == first && column.kind == ColumnKind::kInteger) target.range_key = first;
    }
  }
  return target;
}

}  // namespace disttask::csv_import
