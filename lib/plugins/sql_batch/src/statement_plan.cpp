#include "statement_plan.hpp"

#include "disttask/plugin_common/json_fields.hpp"

#include <algorithm>

namespace disttask::sql_batch {
namespace {

// Servers read small tables whole whatever index there is; and their estimates are rough.
constexpr std::int64_t kSmall = 10'000;
constexpr std::int64_t kFactor = 4;

std::string memberText(const Json& row, std::string_view name) {
  for (const auto& [key, value] : row.asObject()) {
    const bool same = key.size() == name.size() && std::equal(key.begin(), key.end(), name.begin(), [](char a, char b) {
                        return (a | 0x20) == (b | 0x20);
                      });
    if (same && value.isString()) return value.asString();
  }
  return {};
}

void noteReader(
    StatementPlan& plan, const Json& row, bool bounded, const std::string& reader, const std::string& rows
) {
  static_cast<void>(row);
  plan.reader = reader;
  plan.bounded = plan.bounded && bounded;
  plan.rows = std::max<std::int64_t>(plan.rows, static_cast<std::int64_t>(std::strtod(rows.c_str(), nullptr)));
}

// A TiDB shows operators; only those that scan carry the table in "access object".
void readTiDb(StatementPlan& plan, const Json& row, const std::vector<std::string>& names) {
  const std::string access = memberText(row, "access object");
  const bool ours = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    const std::string text = "table:" + name;
    return access.compare(0, text.size(), text) == 0 && (access.size() == text.size() || access[text.size()] == ',');
  });
  if (!ours) return;
  const std::string id = memberText(row, "id");
  const bool full = id.find("FullScan") != std::string::npos;
  noteReader(plan, row, !full, id.substr(id.find_first_of("ITPB")), memberText(row, "estRows"));
}

void readClassic(StatementPlan& plan, const Json& row, const std::vector<std::string>& names) {
  const std::string table = memberText(row, "table");
  if (std::find(names.begin(), names.end(), table) == names.end()) return;
  const std::string type = memberText(row, "type");
  const std::string key = memberText(row, "key");
  const bool full = type == "ALL" || type == "index";
  noteReader(plan, row, !full, type + (key.empty() ? "" : " of index " + key), memberText(row, "rows"));
}

}  // namespace

StatementPlan explainStatement(
    sqlclient::Connection& connection, const std::string& statement, const std::vector<std::string>& names
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
    if (flavour == Flavour::kTiDb) {
      readTiDb(plan, row, names);
    } else {
      readClassic(plan, row, names);
    }
    plan.lines.push_back(std::move(row));
  }
  return plan;
}

void requireBounded(const StatementPlan& plan, std::int64_t range_rows, const std::string& index) {
  const std::int64_t limit = std::max(kSmall, range_rows * kFactor);
  const bool reads_all = !plan.bounded && (plan.rows == 0 || plan.rows > limit);
  if (!reads_all && plan.rows <= limit) return;
  plugin_common::fail(
      "statement: each chunk would read about " + std::to_string(plan.rows) + " rows (" + plan.reader +
      "), and its range has " + std::to_string(range_rows) +
      "; name the index in the statement, as in UPDATE … FORCE INDEX (" + index + "), or say \"allow\": [\"full_scan\"]"
  );
}

}  // namespace disttask::sql_batch
