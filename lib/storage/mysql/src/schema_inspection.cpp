#include "schema_inspection.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

namespace disttask::storage::mysql {

namespace {

using sqlclient::Connection;
using statements::ColumnDefinition;
using statements::IndexDefinition;
using statements::TableDefinition;

struct FoundColumn {
  std::string name, type, collation;
  bool nullable = false;
  bool auto_increment = false;
  std::string default_value;
};
struct FoundIndex {
  bool unique = false;
  std::string columns;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

/// Servers write types differently: MariaDB and TiDB show display widths of integers, and MariaDB's json is a longtext.
std::string normalType(std::string type, bool wants_json) {
  type = lower(std::move(type));
  const auto paren = type.find('(');
  if (paren != std::string::npos && type.substr(0, paren).ends_with("int")) {
    type.erase(paren, type.find(')') + 1 - paren);
  }
  return wants_json && type == "longtext" ? "json" : type;
}

/// MariaDB shows defaults as SQL ('x', NULL), the others as values.
std::string normalDefault(std::string text) {
  if (text == "NULL") return {};
  if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'') return text.substr(1, text.size() - 2);
  return text;
}

std::vector<FoundColumn> listColumns(Connection& connection, const std::string& schema, const std::string& table) {
  std::vector<FoundColumn> columns;
  auto rows = connection.query(statements::kListColumns, {schema, table});
  while (rows.next()) {
    FoundColumn column;
    column.name = rows.getString(1);
    column.type = rows.getString(2);
    column.nullable = rows.getString(3) == "YES";
    column.default_value = normalDefault(rows.getString(4));
    column.auto_increment = rows.getString(5).find("auto_increment") != std::string::npos;
    column.collation = rows.getString(6);
    columns.push_back(std::move(column));
  }
  return columns;
}

std::map<std::string, FoundIndex> listIndexes(
    Connection& connection, const std::string& schema, const std::string& table
) {
  std::map<std::string, FoundIndex> indexes;
  auto rows = connection.query(statements::kListIndexes, {schema, table});
  while (rows.next()) {
    auto& index = indexes[rows.getString(1)];
    index.unique = rows.getString(2) == "0";
    index.columns.append(index.columns.empty() ? "" : ", ").append(rows.getString(3));
  }
  return indexes;
}

std::optional<std::string> differenceOf(const ColumnDefinition& wanted, const FoundColumn& found) {
  const auto type = normalType(found.type, wanted.type == "json");
  if (type != wanted.type) return "is " + type + ", not " + std::string(wanted.type);
  if (found.nullable != wanted.nullable) return std::string(found.nullable ? "allows" : "does not allow") + " NULL";
  if (found.auto_increment != wanted.auto_increment) {
    return std::string(found.auto_increment ? "is" : "is not") + " auto_increment";
  }
  const auto default_value = normalDefault(std::string(wanted.default_value));
  if (found.default_value != default_value)
    return "defaults to '" + found.default_value + "', not '" + default_value + "'";
  const bool is_text = wanted.type == "text" || wanted.type.substr(0, 7) == "varchar";
  if (is_text && found.collation != "utf8mb4_bin") return "has collation " + found.collation + ", not utf8mb4_bin";
  return std::nullopt;
}

void compareColumns(
    const std::string& where,
    const TableDefinition& table,
    const std::vector<FoundColumn>& found,
    TableFindings& findings
) {
  const auto report = [&](std::string text) { findings.differences.push_back(where + std::move(text)); };
  std::size_t position = 0;
  for (const auto& wanted : table.columns) {
    const auto it = std::find_if(found.begin(), found.end(), [&](const auto& c) { return c.name == wanted.name; });
    const auto name = ", column " + std::string(wanted.name);
    if (it == found.end()) {
      report(name + " is missing");
    } else if (it != found.begin() + static_cast<std::ptrdiff_t>(position)) {
      report(name + " is not at position " + std::to_string(position + 1));
    } else if (const auto difference = differenceOf(wanted, *it)) {
      report(name + " " + *difference);
    }
    ++position;
  }
  for (const auto& column : found) {
    const auto known =
        std::any_of(table.columns.begin(), table.columns.end(), [&](const auto& c) { return c.name == column.name; });
    if (!known) report(", column " + column.name + " does not belong there");
  }
}

}  // namespace

bool hasDatabase(Connection& connection, const std::string& schema) {
  return connection.query(statements::kFindDatabase, {schema, schema}).next();
}

bool hasTable(Connection& connection, std::string_view table) {
  return connection.query(statements::kFindTable, {std::string(table)}).next();
}

TableFindings inspectTable(Connection& connection, const std::string& schema, const TableDefinition& table) {
  TableFindings findings;
  const std::string name(table.name);
  const auto where = "table " + name;
  const auto columns = listColumns(connection, schema, name);
  if (columns.empty()) {
    findings.missing = true;
    findings.problems.push_back(where + " is missing");
    return findings;
  }
  compareColumns(where, table, columns, findings);
  findings.problems = findings.differences;
  const auto indexes = listIndexes(connection, schema, name);
  for (const auto& wanted : table.indexes) {
    const auto it = indexes.find(std::string(wanted.name));
    if (it == indexes.end()) {
      findings.missing_indexes.push_back(&wanted);
      findings.problems.push_back(where + ", index " + std::string(wanted.name) + " is missing");
    } else if (it->second.columns != wanted.columns || it->second.unique != wanted.unique) {
      const auto text = where + ", index " + std::string(wanted.name) + " is " + (it->second.unique ? "unique " : "") +
                        "(" + it->second.columns + "), not " + (wanted.unique ? "unique " : "") + "(" +
                        std::string(wanted.columns) + ")";
      findings.problems.push_back(text);
      findings.differences.push_back(text);
    }
  }
  return findings;
}

}  // namespace disttask::storage::mysql
