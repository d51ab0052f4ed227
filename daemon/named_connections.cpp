#include "named_connections.hpp"

#include "disttask/base/json.hpp"
#include "disttask/settings/password.hpp"

#include <algorithm>

namespace disttask::app {

NamedConnections::NamedConnections(
    std::map<std::string, settings::ConnectionSettings> connections, std::string credentials_directory
)
    : credentials_directory_(std::move(credentials_directory)), connections_(std::move(connections)) {}

void NamedConnections::reconfigure(std::map<std::string, settings::ConnectionSettings> connections) {
  {
    const std::lock_guard lock(mutex_);
    connections_ = std::move(connections);
  }
  given_back_.notify_all();
}

void NamedConnections::setStoreId(std::string store_id) {
  const std::lock_guard lock(mutex_);
  store_id_ = std::move(store_id);
}

Expected<settings::ConnectionSettings> NamedConnections::find(const std::string& name, const std::string& task_type)
    const {
  const std::lock_guard lock(mutex_);
  const auto at = connections_.find(name);
  if (at == connections_.end()) {
    return Error(
        ErrorCode::kNotFound,
        "no connection '" + name + "': the settings of this node name none under connections." + name
    );
  }
  const auto& types = at->second.types;
  if (std::find(types.begin(), types.end(), task_type) == types.end()) {
    return Error(
        ErrorCode::kPrecondition,
        "connection '" + name + "' is not for task type '" + task_type + "' (connections." + name +
            ".types in the settings of this node)"
    );
  }
  return at->second;
}

Expected<std::string> NamedConnections::get(const std::string& name, const std::string& task_type) {
  const auto found = find(name, task_type);
  if (!found) return found.error();
  const auto& connection = found.value();
  Json json;
  if (connection.endpoint.socket.empty()) {
    json["host"] = connection.endpoint.host;
    json["port"] = std::int64_t{connection.endpoint.port};
  } else {
    json["socket"] = connection.endpoint.socket;
  }
  json["user"] = connection.user;
  try {
    json["password"] = settings::readPassword(connection.password, credentials_directory_);
  } catch (const Exception& failure) {
    return Error(ErrorCode::kInvalidConfig, "connection '" + name + "': " + failure.what());
  }
  const bool verify = connection.tls.mode == settings::TlsMode::kVerify;
  json["tls"] = Json::Object{
      {"mode", verify ? "verify" : "off"},
      {"ca", connection.tls.ca},
      {"cert", connection.tls.cert},
      {"key", connection.tls.key}};
  json["schemas"] = Json::Array(connection.schemas.begin(), connection.schemas.end());
  json["max_connections"] = std::int64_t{connection.max_connections};
  json["ledger"] = connection.ledger;
  const std::lock_guard lock(mutex_);
  json["store_id"] = store_id_;
  return json.dump();
}

void NamedConnections::acquire(
    const std::string& name, const std::string& task_type, const runtime::CancelToken& token
) {
  (void)find(name, task_type).value();
  std::unique_lock lock(mutex_);
  bool is_gone = false;
  given_back_.wait(lock, token.stopToken(), [&] {
    const auto at = connections_.find(name);
    is_gone = at == connections_.end();
    return is_gone || used_[name] < at->second.max_connections;
  });
  token.throwIfCancelled();
  if (is_gone)
    throw Exception(ErrorCode::kNotFound, "connection '" + name + "' was taken out of the settings of this node");
  ++used_[name];
}

void NamedConnections::release(const std::string& name, const std::string& /*task_type*/) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const auto at = used_.find(name);
    if (at != used_.end() && at->second > 0) --at->second;
  }
  given_back_.notify_all();
}

}  // namespace disttask::app
