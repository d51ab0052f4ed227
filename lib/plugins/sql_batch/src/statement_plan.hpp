#pragma once
#include "disttask/base/json.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace disttask::sql_batch {

/// The server's plan for one chunk's statement.
struct StatementPlan {
  /// A joined table, or one of a subquery, that is read whole.
  struct WholeTable {
    std::string name;       ///< as the statement calls it
    std::string reader;     ///< how, in words
    std::int64_t rows = 0;  ///< estimated
  };
  Json::Array lines;              ///< each row of EXPLAIN as an object
  std::string reader;             ///< how the walked table is read, in words
  bool bounded = true;            ///< it is read by a part of an index
  std::int64_t rows = 0;          ///< the server's estimate of how many of its rows are read; 0 = it gives none
  std::vector<WholeTable> whole;  ///< others
};

/// Asks the server. `walked` is what the statement calls the table whose key is walked.
[[nodiscard]] StatementPlan explainStatement(
    sqlclient::Connection& connection, const std::string& statement, const std::string& walked
);

/// Throws kInvalidArgument when a chunk would read much more of the table than its range of `range_rows` rows.
void requireBounded(const StatementPlan& plan, std::int64_t range_rows, const std::string& index);
/// Throws kInvalidArgument when another table would be read whole with each chunk, unless it is small beside
/// `range_rows`.
void requireOthersBounded(const StatementPlan& plan, std::int64_t range_rows);

}  // namespace disttask::sql_batch
