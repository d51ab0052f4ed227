#pragma once
#include "disttask/settings/loader.hpp"
#include "disttask/storage/mysql/store.hpp"

#include <string>

namespace disttask::app {

/// Returns what defaults of settings depend on, of this process.
[[nodiscard]] settings::HostFacts hostFacts();

/// Turns settings into what the store takes; the password is read anew at each connect.
[[nodiscard]] storage::mysql::StoreSettings toStoreSettings(
    const settings::StoreSettings& store, const settings::HostFacts& facts, std::chrono::milliseconds lease
);
/// Turns a named connection into what the SQL client takes.
[[nodiscard]] sqlclient::ConnectSettings toConnectSettings(
    const settings::ConnectionSettings& connection, const settings::HostFacts& facts
);
/// Reads a store address of the form mysql://…; throws kInvalidArgument without ever showing a password.
[[nodiscard]] settings::StoreSettings storeFromDsn(const std::string& dsn);

}  // namespace disttask::app
