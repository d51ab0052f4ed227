#pragma once
#include "batch_statement.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "table_key.hpp"

#include <string>
#include <vector>

namespace disttask::sql_batch {

/// Returns the columns of `statement.target` that an update, or an insert for its duplicates, sets: in lower case, by
/// the server's own rules for letters. A name that it has not is left to the server, but throws kInvalidArgument where
/// other tables are joined: one of those would change.
[[nodiscard]] std::vector<std::string> assignedColumns(
    sqlclient::Connection& connection, const BatchStatement& statement
);

/// Throws kInvalidArgument when an update would change the key by which the table is walked, by what it sets or because
/// the server computes a column of the key anew.
void checkOwnKey(sqlclient::Connection& connection, const TableKey& key, const BatchStatement& statement);

}  // namespace disttask::sql_batch
