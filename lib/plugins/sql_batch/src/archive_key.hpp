#pragma once
#include "batch_session.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <string>

namespace disttask::sql_batch {

/// Checks that the archive has a unique key of the walked key's columns, in which rows are equal exactly when they are
/// in the walked one, and no other: a row that was copied before a crash is copied again, over itself and over no
/// other. Throws kInvalidArgument.
void requireSameKey(sqlclient::Connection& source, sqlclient::Connection& archive, const TaskNote& note);

/// Returns information_schema's column_type without what is only for display, or for one kind of server.
[[nodiscard]] std::string plainType(std::string type);
/// Returns a collation by the name that all servers know.
[[nodiscard]] std::string plainCollation(const std::string& name);

}  // namespace disttask::sql_batch
