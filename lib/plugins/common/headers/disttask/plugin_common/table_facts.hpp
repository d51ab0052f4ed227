#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <string>

namespace disttask::plugin_common {

/// Throws kInvalidArgument when there is no such table, it is a view, or its storage engine cannot take a chunk in one
/// transaction. `where` names the key of the meta.
void requireTransactionalTable(
    sqlclient::Connection& connection, const std::string& where, const std::string& schema, const std::string& table
);

}  // namespace disttask::plugin_common
