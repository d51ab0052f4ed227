#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/hot_statement.hpp"

#include <string>
#include <vector>

namespace disttask::test {

/// In place of a table: sub-queries that are answered by one look at an index, before anything is planned.
inline constexpr const char* kMinMax = "min/max";

/// How much of an index a statement must use: what TiDB's EXPLAIN shows of it, and key_len of the others.
struct RangeOfIndex {
  std::string tidb;
  std::string key_len;
};

/// Returns what is wrong with the plan of a statement, by EXPLAIN of the server; empty when it is as it must be.
[[nodiscard]] std::string planFaultOf(
    sqlclient::Connection& connection, const storage::mysql::HotStatement& statement, const RangeOfIndex& range = {}
);
/// The same of many; those without a fault are left out.
[[nodiscard]] std::vector<std::string> planFaultsOf(
    sqlclient::Connection& connection, const std::vector<storage::mysql::HotStatement>& statements
);

}  // namespace disttask::test
