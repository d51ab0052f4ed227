#include "disttask/plugin_common/sessions.hpp"

#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/names.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace disttask::plugin_common {
namespace {

using std::chrono::seconds;

constexpr seconds kIdleTransactionLimit{10};
constexpr seconds kMaxIdle{5};  // shorter than any server ends a session for
constexpr seconds kEndTimeout{1};
// A variable that the server does not have, has without meaning (TiDB), or lets only some accounts set.
constexpr std::array kNotSet = {1193, 1227, 1235};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

std::string optionalText(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return found == nullptr || found->isNull() ? std::string() : textAt(*found, "connection." + std::string(key));
}

sqlclient::TlsSettings tlsFrom(const Json& json) {
  sqlclient::TlsSettings tls;
  const Json* found = json.find("tls");
  if (found == nullptr || found->isNull()) return tls;
  const std::string mode = optionalText(*found, "mode");
  if (mode == "verify") {
    tls.mode = sqlclient::TlsMode::kVerify;
  } else if (!mode.empty() && mode != "off") {
    fail("tls.mode '" + mode + "' is not known");
  }
  tls.ca = optionalText(*found, "ca");
  tls.cert = optionalText(*found, "cert");
  tls.key = optionalText(*found, "key");
  return tls;
}

sqlclient::Endpoint endpointFrom(const Json& json) {
  sqlclient::Endpoint endpoint;
  endpoint.socket = optionalText(json, "socket");
  endpoint.host = optionalText(json, "host");
  if (const Json* port = json.find("port"); port != nullptr && !port->isNull()) {
    endpoint.port = static_cast<std::uint16_t>(intAt(*port, "connection.port", 1, 65535));
  }
  if (endpoint.socket.empty() && endpoint.host.empty()) fail("neither host nor socket is given");
  return endpoint;
}

sqlclient::ConnectSettings settingsFor(const ConnectionInfo& info, const SessionKind& kind) {
  sqlclient::ConnectSettings settings = info.connect;
  settings.found_rows = kind.found_rows;
  settings.idle_transaction_limit = kIdleTransactionLimit;
  settings.read_timeout = kind.read_timeout;
  settings.write_timeout = kind.write_timeout;
  settings.session = kind.session;
  return settings;
}

std::unique_ptr<sqlclient::Connection> openSession(const ConnectionInfo& info, const SessionKind& kind) {
  auto connection = sqlclient::Connection::open(settingsFor(info, kind));
  for (const std::string& statement : kind.where_known) {
    try {
      connection->execute(statement);
    } catch (const Exception& exception) {
      const int number = exception.error().storeNumber();
      if (std::find(kNotSet.begin(), kNotSet.end(), number) == kNotSet.end()) throw;
    }
  }
  return connection;
}

/// True if a session of one may serve the other: settings are live, and what was changed must not go on.
bool opensAlike(const ConnectionInfo& one, const ConnectionInfo& other) {
  const auto endpoint = [](const ConnectionInfo& info) {
    const sqlclient::Endpoint& at = info.connect.endpoints.at(0);
    return std::tie(at.host, at.port, at.socket);
  };
  const auto tls = [](const ConnectionInfo& info) {
    const sqlclient::TlsSettings& its = info.connect.tls;
    return std::tie(its.mode, its.ca, its.cert, its.key);
  };
  return endpoint(one) == endpoint(other) && tls(one) == tls(other) && one.connect.user == other.connect.user &&
         one.connect.password() == other.connect.password() && one.schemas == other.schemas;
}

}  // namespace

void ConnectionInfo::requireSchema(const std::string& schema, const std::string& where) const {
  if (schemas.empty() || std::find(schemas.begin(), schemas.end(), schema) != schemas.end()) return;
  fail(where + ": connection '" + name + "' does not allow schema '" + schema + "' (connections." + name + ".schemas)");
}

void ConnectionInfo::refuseLedger(const std::string& schema, const std::string& table, const std::string& where) const {
  // Not each server tells letters apart; without a schema it may be any one's.
  const bool has_schema = ledger.find('.') != std::string::npos;
  if (lower(has_schema ? schema + "." + table : table) != lower(ledger)) return;
  fail(where + ": " + schema + "." + table + " is the ledger table of connection '" + name + "'; no task writes there");
}

ConnectionInfo parseConnection(const std::string& name, std::string_view text) {
  try {
    const Json json = parseObject(text, "the host's answer");
    ConnectionInfo info;
    info.name = name;
    info.connect.endpoints = {endpointFrom(json)};
    info.connect.user = optionalText(json, "user");
    info.connect.password = [password = optionalText(json, "password")] { return password; };
    info.connect.tls = tlsFrom(json);
    if (const Json* schemas = json.find("schemas"); schemas != nullptr && schemas->isArray()) {
      for (const Json& item : schemas->asArray()) info.schemas.push_back(textAt(item, "connection.schemas"));
    }
    info.ledger = optionalText(json, "ledger");
    info.store_id = optionalText(json, "store_id");
    if (info.ledger.empty()) fail("it names no ledger table (connections." + name + ".ledger)");
    if (info.store_id.empty()) fail("the host gives no store id");
    return info;
  } catch (const Exception& exception) {
    throw Exception(ErrorCode::kInvalidConfig, "connection '" + name + "': " + exception.error().message());
  }
}

Sessions::Lease::Lease(
    Sessions& owner, ConnectionInfo info, std::string kind, std::unique_ptr<sqlclient::Connection> connection
)
    : owner_(&owner), info_(std::move(info)), kind_(std::move(kind)), connection_(std::move(connection)) {}

Sessions::Lease::~Lease() {
  if (connection_) owner_->giveBack(std::move(info_), std::move(kind_), std::move(connection_));
}

Sessions::Lease Sessions::take(const ConnectionInfo& info, const SessionKind& kind) {
  std::vector<Idle> waste;  // closed after the lock is given up
  std::unique_ptr<sqlclient::Connection> found;
  {
    const std::lock_guard lock(mutex_);
    auto& idle = idle_[info.name];
    const auto oldest = std::chrono::steady_clock::now() - kMaxIdle;
    for (auto it = idle.begin(); it != idle.end();) {
      if (it->since >= oldest && opensAlike(it->info, info)) {
        ++it;
        continue;
      }
      waste.push_back(std::move(*it));
      it = idle.erase(it);
    }
    const auto fits = std::find_if(idle.begin(), idle.end(), [&](const Idle& one) { return one.kind == kind.name; });
    if (fits != idle.end()) {
      found = std::move(fits->connection);
      idle.erase(fits);
    } else if (!idle.empty()) {
      waste.push_back(std::move(idle.back()));  // a new one takes its place
      idle.pop_back();
    }
  }
  waste.clear();
  if (found && !found->ping()) found.reset();
  if (!found) found = openSession(info, kind);
  return {*this, info, kind.name, std::move(found)};
}

void Sessions::giveBack(
    ConnectionInfo info, std::string kind, std::unique_ptr<sqlclient::Connection> connection
) noexcept {
  if (connection->isBroken()) return;
  const std::lock_guard lock(mutex_);
  auto& idle = idle_[info.name];
  idle.push_back({std::move(info), std::move(kind), std::move(connection), std::chrono::steady_clock::now()});
}

void Sessions::endOnServer(const ConnectionInfo& info, std::int64_t connection_id) noexcept {
  try {
    auto settings = info.connect;
    settings.connect_timeout = settings.read_timeout = settings.write_timeout = kEndTimeout;
    sqlclient::Connection::open(settings)->execute(killSession(connection_id));
  } catch (...) {  // it may have ended by itself, or the server is out of reach
  }
}

void Sessions::closeIdle(const std::string& name) {
  std::vector<Idle> waste;
  const std::lock_guard lock(mutex_);
  const auto found = idle_.find(name);
  if (found == idle_.end()) return;
  waste = std::move(found->second);
  idle_.erase(found);
}

}  // namespace disttask::plugin_common
