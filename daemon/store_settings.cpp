#include "store_settings.hpp"

#include "disttask/base/tidb_schema.hpp"
#include "disttask/settings/password.hpp"
#include "disttask/sqlclient/dsn.hpp"
#include "environment.hpp"

#include <algorithm>

namespace disttask::app {
namespace {

sqlclient::Endpoint toEndpoint(const settings::Endpoint& from) {
  sqlclient::Endpoint to;
  to.host = from.host;
  to.port = from.port;
  to.socket = from.socket;
  return to;
}

sqlclient::TlsSettings toTls(const settings::Tls& from) {
  sqlclient::TlsSettings to;
  to.mode = from.mode == settings::TlsMode::kVerify ? sqlclient::TlsMode::kVerify : sqlclient::TlsMode::kOff;
  to.ca = from.ca;
  to.cert = from.cert;
  to.key = from.key;
  return to;
}

std::function<std::string()> toPassword(const settings::PasswordSource& source, const settings::HostFacts& facts) {
  return [source, directory = facts.credentials_directory] { return settings::readPassword(source, directory); };
}

std::chrono::seconds atLeastOneSecond(std::chrono::milliseconds value) {
  return std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(value));
}

/// The limit of one hung call. A run that waits in one when it is cancelled, at two thirds of the lease, must come back
/// before the process ends for it, 2 s before the lease does; yet it stays above the wait for a row lock (3 s), so that
/// no statement is applied whose client has given up.
std::chrono::seconds readTimeout(std::chrono::milliseconds wanted, std::chrono::milliseconds lease) {
  const auto before_exit = std::chrono::floor<std::chrono::seconds>(lease / 3) - std::chrono::seconds(3);
  return std::min(atLeastOneSecond(wanted), std::max(before_exit, std::chrono::seconds(5)));
}

}  // namespace

settings::HostFacts hostFacts() {
  auto facts = settings::detectHostFacts();
  facts.plugin_dir = installedPluginDir();
  facts.credentials_directory = environmentValue("CREDENTIALS_DIRECTORY").value_or("");
  facts.instance = environmentValue("DISTTASK_INSTANCE").value_or("");
  // The service manager's, which may name several.
  const auto state_dirs = environmentValue("STATE_DIRECTORY").value_or("");
  facts.state_dir = state_dirs.substr(0, state_dirs.find(':'));
  return facts;
}

storage::mysql::StoreSettings toStoreSettings(
    const settings::StoreSettings& store, const settings::HostFacts& facts, std::chrono::milliseconds lease
) {
  storage::mysql::StoreSettings to;
  for (const auto& endpoint : store.endpoints) to.connect.endpoints.push_back(toEndpoint(endpoint));
  to.connect.user = store.user;
  to.connect.password = toPassword(store.password, facts);
  to.connect.tls = toTls(store.tls);
  to.connect.connect_timeout = atLeastOneSecond(store.connect_timeout);
  to.connect.read_timeout = readTimeout(store.read_timeout, lease);
  to.connect.write_timeout = to.connect.read_timeout;
  to.schema = store.schema;
  to.side_schema = store.side_schema;
  to.pool_size = static_cast<std::size_t>(store.pool.max_connections);
  to.max_idle = store.pool.max_idle;
  to.lease = lease;
  return to;
}

sqlclient::ConnectSettings toConnectSettings(
    const settings::ConnectionSettings& connection, const settings::HostFacts& facts
) {
  sqlclient::ConnectSettings to;
  to.endpoints = {toEndpoint(connection.endpoint)};
  to.user = connection.user;
  to.password = toPassword(connection.password, facts);
  to.tls = toTls(connection.tls);
  return to;
}

settings::StoreSettings storeFromDsn(const std::string& text) {
  const auto dsn = sqlclient::parseDsn(text);
  settings::StoreSettings store;
  settings::Endpoint endpoint;
  endpoint.host = dsn.endpoint.host;
  endpoint.port = dsn.endpoint.port;
  endpoint.socket = dsn.endpoint.socket;
  store.endpoints = {endpoint};
  store.user = dsn.user;
  store.password.value = dsn.password.value_or("");
  if (!dsn.schema.empty()) store.schema = toSchemaName(dsn.schema);
  store.tls.mode = dsn.tls.mode == sqlclient::TlsMode::kVerify ? settings::TlsMode::kVerify : settings::TlsMode::kOff;
  store.tls.ca = dsn.tls.ca;
  store.tls.cert = dsn.tls.cert;
  store.tls.key = dsn.tls.key;
  return store;
}

}  // namespace disttask::app
