#include "plans.hpp"

#include "disttask/base/error.hpp"

#include <cstdlib>
#include <map>
#include <utility>

namespace disttask::test {

namespace {

using storage::mysql::HotStatement;

/// Full scans of tables of up to so many rows are as good as an index.
constexpr std::int64_t kSmall = 200;
constexpr std::int64_t kNumMinMaxOfPoll = 2;

struct Step {
  std::string table;
  std::string type;
  std::string key;
  std::string key_len;
  std::int64_t rows = 0;
  std::string extra;
};

/// Returns what EXPLAIN says, in the tabular form of MariaDB and MySQL.
std::vector<Step> explain(sqlclient::Connection& connection, const HotStatement& statement) {
  const std::string form =
      connection.flavour() == sqlclient::Flavour::kMySql ? "explain format=traditional " : "explain ";
  auto rows = connection.queryDynamic("explain", form + statement.text, statement.values);
  std::map<std::string, std::uint32_t> columns;
  for (std::uint32_t i = 1; i <= rows.numColumns(); ++i) columns[rows.columnName(i)] = i;
  std::vector<Step> steps;
  while (rows.next()) {
    steps.push_back(
        {rows.getString(columns.at("table")),
         rows.getString(columns.at("type")),
         rows.getString(columns.at("key")),
         rows.getString(columns.at("key_len")),
         std::atoll(rows.getString(columns.at("rows")).c_str()),
         rows.getString(columns.at("Extra"))}
    );
  }
  return steps;
}

/// Returns what is wrong with a plan; empty when it is as it must be.
std::string faultOf(const HotStatement& statement, const std::vector<Step>& steps, const std::string& key_len) {
  std::string text = statement.name + ":";
  bool has_index = false;
  std::string fault;
  std::int64_t num_min_max = 0;
  for (const auto& step : steps) {
    if (step.extra.find("optimized away") != std::string::npos || step.extra.find("min/max row") != std::string::npos)
      ++num_min_max;
    text += "\n  table=" + step.table + " type=" + step.type + " key=" + step.key + " key_len=" + step.key_len +
            " rows=" + std::to_string(step.rows) + " extra=" + step.extra;
    const bool is_derived = step.table.empty() || step.table.front() == '<';
    const bool is_meant = is_derived || step.table == statement.scanned;
    if (!is_meant && (step.type == "ALL" || step.type == "index") && step.rows > kSmall) fault = "scans " + step.table;
    if (step.table == statement.table) {
      has_index = true;
      if (step.key != statement.index)
        fault = "uses " + (step.key.empty() ? "no key" : step.key) + " for " + step.table;
      if (!key_len.empty() && step.key_len != key_len) fault = "uses key_len " + step.key_len + " not " + key_len;
    }
    // A derived table holds a few rows by then.
    if (!statement.sorts && !is_derived && step.extra.find("filesort") != std::string::npos) fault = "sorts";
  }
  if (statement.table == kMinMax) {
    has_index = true;
    if (num_min_max != kNumMinMaxOfPoll) fault = "looks at more than the end of a range";
  }
  if (!has_index) fault = "does not show " + statement.table;
  return fault.empty() ? fault : fault + ", wants " + statement.index + " of " + statement.table + "; " + text;
}

/// TiDB tells it differently: operators with an access object.
std::string faultOnTiDb(sqlclient::Connection& connection, const HotStatement& statement, const std::string& range) {
  // Else it runs the sub-queries and explains their results.
  connection.execute("set session tidb_opt_enable_non_eval_scalar_subquery = 1");
  auto rows = connection.queryDynamic("explain", "explain " + statement.text, statement.values);
  std::string text = statement.name + ":";
  bool has_index = false;
  bool has_scan = false;
  bool has_range = range.empty();
  while (rows.next()) {
    std::string line;
    for (std::uint32_t i = 1; i <= rows.numColumns(); ++i) line += " " + rows.getString(i);
    text += "\n " + line;
    has_range = has_range || line.find("range:" + range) != std::string::npos;
    // The table is told by its alias where it has one.
    const bool is_scan =
        line.find("TableFullScan") != std::string::npos || line.find("IndexFullScan") != std::string::npos;
    const bool is_looked_at = line.find("table:" + statement.table + ",") != std::string::npos ||
                              line.find("table:" + statement.table + " ") != std::string::npos ||
                              line.find("subtask") != std::string::npos;
    has_scan = has_scan || (is_scan && is_looked_at);
    has_index = has_index || line.find("index:" + statement.index) != std::string::npos ||
                (statement.index == "PRIMARY" &&
                 (line.find("Point_Get") != std::string::npos || line.find("TableRangeScan") != std::string::npos));
  }
  if (!has_range) text = "of " + range + "; " + text;
  return has_index && has_range && !has_scan ? "" : "wants " + statement.index + " " + text;
}

}  // namespace

std::string planFaultOf(sqlclient::Connection& connection, const HotStatement& statement, const RangeOfIndex& range) {
  try {
    return connection.flavour() == sqlclient::Flavour::kTiDb
               ? faultOnTiDb(connection, statement, range.tidb)
               : faultOf(statement, explain(connection, statement), range.key_len);
  } catch (const Exception& e) {
    return statement.name + ": " + e.what();
  }
}

std::vector<std::string> planFaultsOf(sqlclient::Connection& connection, const std::vector<HotStatement>& statements) {
  std::vector<std::string> faults;
  for (const auto& statement : statements) {
    auto fault = planFaultOf(connection, statement);
    if (!fault.empty()) faults.push_back(std::move(fault));
  }
  return faults;
}

}  // namespace disttask::test
