#include "statement_plan.hpp"

#include "disttask/plugin_common/json_fields.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace disttask::sql_batch {
namespace {

// Servers read small tables whole whatever index there is; and their estimates are rough.
constexpr std::int64_t kSmall = 10'000;
constexpr std::int64_t kFactor = 4;

// Servers differ in the case of column names, and may show an alias in lower case.
bool sameText(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string memberText(const Json& row, std::string_view name) {
  for (const auto& [key, value] : row.asObject()) {
    if (sameText(key, name) && value.isString()) return value.asString();
  }
  return {};
}

// One line of the plan: a table, and how it is read.
struct Reader {
  std::string table;
  bool whole = false;
  std::string how;
  std::int64_t rows = 0;
};

void note(StatementPlan& plan, const Reader& reader, const std::string& walked) {
  if (sameText(reader.table, walked)) {
    plan.reader = reader.how;
    plan.bounded = plan.bounded && !reader.whole;
    plan.rows = std::max(plan.rows, reader.rows);
  } else if (reader.whole) {
    plan.whole.push_back({reader.table, reader.how, reader.rows});
  }
}

std::int64_t rowsOf(const std::string& text) {
  return static_cast<std::int64_t>(std::strtod(text.c_str(), nullptr));
}

// A TiDB shows operators; only those that read a table carry it in "access object".
std::optional<Reader> readTiDb(const Json& row) {
  constexpr std::string_view kTable = "table:";
  const std::string access = memberText(row, "access object");
  if (access.compare(0, kTable.size(), kTable) != 0) return std::nullopt;
  const std::string id = memberText(row, "id");
  Reader reader;
  reader.table = access.substr(kTable.size(), access.find(',') - kTable.size());
  reader.whole = id.find("FullScan") != std::string::npos;
  reader.how = id.substr(std::min(id.find_first_of("ITPB"), id.size()));
  reader.rows = rowsOf(memberText(row, "estRows"));
  return reader;
}

std::optional<Reader> readClassic(const Json& row) {
  Reader reader;
  reader.table = memberText(row, "table");
  const std::string type = memberText(row, "type");
  const std::string select = memberText(row, "select_type");
  // What comes of other lines, such as <derived2>; and where MySQL's insert goes, which is not read.
  if (reader.table.empty() || reader.table.front() == '<' || select == "INSERT") return std::nullopt;
  const std::string key = memberText(row, "key");
  reader.whole = type == "ALL" || type == "index";
  reader.how = type + (key.empty() ? "" : " of index " + key);
  reader.rows = rowsOf(memberText(row, "rows"));
  return reader;
}

std::int64_t limitFor(std::int64_t range_rows) {
  return std::max(kSmall, range_rows * kFactor);
}

}  // namespace

StatementPlan explainStatement(
    sqlclient::Connection& connection, const std::string& statement, const std::string& walked
) {
  using sqlclient::Flavour;
  const Flavour flavour = connection.flavour();
  const char* const explain = flavour == Flavour::kMySql  ? "explain format=traditional "
                              : flavour == Flavour::kTiDb ? "explain format='row' "
                                                          : "explain ";
  StatementPlan plan;
  auto rows = connection.queryDynamic("sql_batch.explain", explain + statement, {});
  while (rows.next()) {
    Json row{Json::Object{}};
    for (std::uint32_t i = 1; i <= rows.numColumns(); ++i) {
      if (!rows.isNull(i)) row[rows.columnName(i)] = rows.getString(i);
    }
    if (const auto reader = flavour == Flavour::kTiDb ? readTiDb(row) : readClassic(row)) note(plan, *reader, walked);
    plan.lines.push_back(std::move(row));
  }
  return plan;
}

void requireBounded(const StatementPlan& plan, std::int64_t range_rows, const std::string& index) {
  const std::int64_t limit = limitFor(range_rows);
  const bool reads_all = !plan.bounded && (plan.rows == 0 || plan.rows > limit);
  if (!reads_all && plan.rows <= limit) return;
  plugin_common::fail(
      "statement: each chunk would read about " + std::to_string(plan.rows) + " rows (" + plan.reader +
      "), and its range has " + std::to_string(range_rows) +
      "; name the index in the statement, as in UPDATE … FORCE INDEX (" + index + "), or say \"allow\": [\"full_scan\"]"
  );
}

void requireOthersBounded(const StatementPlan& plan, std::int64_t range_rows) {
  for (const StatementPlan::WholeTable& table : plan.whole) {
    if (table.rows <= limitFor(range_rows)) continue;
    plugin_common::fail(
        "statement: each chunk would read all of '" + table.name + "', about " + std::to_string(table.rows) +
        " rows (" + table.reader + "), where up to " + std::to_string(limitFor(range_rows)) +
        " are expected; give it an index by which its rows are found, or say \"allow\": [\"full_scan\"]"
    );
  }
}

}  // namespace disttask::sql_batch
