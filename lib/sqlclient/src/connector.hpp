#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "local_feed.hpp"

#include <cppconn/connection.h>

#include <memory>
#include <string_view>

namespace disttask::sqlclient {

/// Opens one connection of the driver to one endpoint; what it gives for `load data local` is `feed`'s, which must
/// outlive it. Throws what the driver throws.
std::unique_ptr<sql::Connection> connectDriver(
    const ConnectSettings& settings, const Endpoint& endpoint, const std::string& password, LocalFeed& feed
);

/// Turns the connector's exception that is being handled into an Error of our table; for use in a catch block only.
Error currentSqlError(std::string_view statement_name) noexcept;
/// True when the exception that is being handled leaves the connection unusable or in doubt.
bool currentErrorBreaksConnection() noexcept;

}  // namespace disttask::sqlclient
