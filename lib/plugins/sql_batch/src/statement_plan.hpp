#pragma once
#include "disttask/base/json.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace disttask::sql_batch {

/// The server's plan for one chunk's statement.
struct StatementPlan {
  Json::Array lines;      ///< each row of EXPLAIN as an object
  std::string reader;     ///< how the table is read, in words
  bool bounded = true;    ///< it is read by a part of an index
  std::int64_t rows = 0;  ///< the server's estimate of how many of its rows are read; 0 = it gives none
};

/// Asks the server. `names` are what the plan may call the table: its name and alias.
[[nodiscard]] StatementPlan explainStatement(
    sqlclient::Connection& connection, const std::string& statement, const std::vector<std::string>& names
);

/// Throws kInvalidArgument when a chunk would read much more of the table than its range of `range_rows` rows.
void requireBounded(const StatementPlan& plan, std::int64_t range_rows, const std::string& index);

}  // namespace disttask::sql_batch
