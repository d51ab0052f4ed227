#pragma once
#include "batch_options.hpp"
#include "disttask/sqlclient/connection.hpp"

namespace disttask::sql_batch {

/// Checks that a chunk on this table can be one transaction, and does no more than its statement says. Throws
/// kInvalidArgument with one sentence: no such table, a view, an engine without transactions, triggers, foreign keys
/// with cascades, unless allowed.
void checkTables(sqlclient::Connection& connection, const BatchWork& work, const BatchStatement& statement);

}  // namespace disttask::sql_batch
