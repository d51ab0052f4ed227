#pragma once
#include "batch_options.hpp"
#include "disttask/plugin_common/sessions.hpp"
#include "disttask/sqlclient/connection.hpp"

namespace disttask::sql_batch {

/// Checks that a chunk on this table can be one transaction, and does no more than its statement says. Throws
/// kInvalidArgument with one sentence: no such table, a view, an engine without transactions, triggers, foreign keys
/// with cascades, unless allowed.
void checkTables(sqlclient::Connection& connection, const BatchWork& work, const BatchStatement& statement);

/// Throws kInvalidArgument when the work would change the ledger table of its connection; checkArchive looks after the
/// archive table.
void refuseLedger(const plugin_common::ConnectionInfo& info, const BatchWork& work, const BatchStatement& statement);

}  // namespace disttask::sql_batch
