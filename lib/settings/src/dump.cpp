#include "disttask/settings/endpoint_text.hpp"
#include "disttask/settings/loader.hpp"
#include "disttask/settings/units.hpp"

#include <fmt/format.h>

namespace disttask::settings {
namespace {

/// A JSON string is a YAML string too, and needs no rules of its own for quoting.
std::string quoted(const std::string& text) {
  return Json(text).dump();
}

std::string list(const std::vector<std::string>& texts) {
  Json::Array items(texts.begin(), texts.end());
  return Json(std::move(items)).dump();
}

std::string password(const PasswordSource& source, std::string_view indent) {
  if (!source.file.empty()) return fmt::format("{}password_file: {}\n", indent, quoted(source.file));
  if (!source.credential.empty()) return fmt::format("{}password_credential: {}\n", indent, quoted(source.credential));
  return "";
}

std::string tls(const Tls& tls, std::string_view indent) {
  if (tls.mode == TlsMode::kOff) return fmt::format("{}tls: {{mode: off}}\n", indent);
  auto text = fmt::format("{}tls: {{mode: verify, ca: {}", indent, quoted(tls.ca));
  if (!tls.cert.empty()) text += fmt::format(", cert: {}, key: {}", quoted(tls.cert), quoted(tls.key));
  return text + "}\n";
}

/// Members whose name says secret are not shown, whatever a plugin calls the rest.
Json redact(const Json& value) {
  if (value.isArray()) {
    Json::Array items;
    for (const auto& item : value.asArray()) items.push_back(redact(item));
    return items;
  }
  if (!value.isObject()) return value;
  Json::Object members;
  for (const auto& [key, member] : value.asObject()) {
    std::string lower;
    for (const char c : key) lower.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    bool secret = false;
    for (const auto* word : {"password", "passwd", "secret", "token", "credential", "private_key", "access_key"}) {
      secret = secret || lower.find(word) != std::string::npos;
    }
    members.emplace(key, secret ? Json("(not shown)") : redact(member));
  }
  return members;
}

std::string_view levelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      break;
  }
  return "error";
}

std::string_view formatName(LogFormat format) {
  switch (format) {
    case LogFormat::kAuto:
      return "auto";
    case LogFormat::kText:
      return "text";
    case LogFormat::kJson:
      break;
  }
  return "json";
}

std::string dumpNode(const NodeSettings& node) {
  auto text =
      fmt::format("node:\n  id: {}\n  scope: {}\n  slots: {}\n", quoted(node.id), quoted(node.scope), node.slots);
  if (node.memory_bytes > 0) text += fmt::format("  memory: {}\n", formatSize(node.memory_bytes));
  text += fmt::format("  listen: {}\n", quoted(node.listen));
  if (!node.advertise.empty()) text += fmt::format("  advertise: {}\n", quoted(node.advertise));
  return text + fmt::format(
                    "  state_dir: {}\n  lease: {}\n  stop_timeout: {}\n  max_abnormal_ends: {}\n",
                    quoted(node.state_dir),
                    formatDuration(node.lease),
                    formatDuration(node.stop_timeout),
                    node.max_abnormal_ends
                );
}

std::string dumpStore(const StoreSettings& store) {
  std::vector<std::string> endpoints;
  for (const auto& endpoint : store.endpoints) endpoints.push_back(toString(endpoint));
  const bool by_socket = store.endpoints.size() == 1 && !store.endpoints.front().socket.empty();
  return fmt::format(
             "store:\n  {}\n  user: {}\n",
             by_socket ? "socket: " + quoted(endpoints.front()) : "endpoints: " + list(endpoints),
             quoted(store.user)
         ) +
         password(store.password, "  ") + fmt::format("  schema: {}\n", quoted(store.schema)) +
         (store.side_schema.empty() ? "" : fmt::format("  side_schema: {}\n", quoted(store.side_schema))) +
         tls(store.tls, "  ") +
         fmt::format(
             "  connect_timeout: {}\n  read_timeout: {}\n",
             formatDuration(store.connect_timeout),
             formatDuration(store.read_timeout)
         ) +
         fmt::format(
             "  pool: {{max_connections: {}, max_idle: {}}}\n",
             store.pool.max_connections,
             formatDuration(store.pool.max_idle)
         );
}

std::string dumpConnection(const std::string& name, const ConnectionSettings& connection) {
  return fmt::format(
             "  {}:\n    {}: {}\n    user: {}\n",
             quoted(name),
             connection.endpoint.socket.empty() ? "endpoint" : "socket",
             quoted(toString(connection.endpoint)),
             quoted(connection.user)
         ) +
         password(connection.password, "    ") + tls(connection.tls, "    ") +
         fmt::format(
             "    max_connections: {}\n    types: {}\n    schemas: {}\n    ledger: {}\n",
             connection.max_connections,
             list(connection.types),
             list(connection.schemas),
             quoted(connection.ledger)
         );
}

}  // namespace

std::string dumpSettings(const Settings& settings) {
  auto text = dumpNode(settings.node) + dumpStore(settings.store);
  text += fmt::format(
      "polling:\n  task_interval: {}\n  subtask_interval: {}\n  max_interval: {}\n",
      formatDuration(settings.polling.task_interval),
      formatDuration(settings.polling.subtask_interval),
      formatDuration(settings.polling.max_interval)
  );
  text += fmt::format(
      "scheduler:\n  enabled: {}\n  max_tasks: {}\n  history_after: {}\n  history_keep: {}\n",
      settings.scheduler.enabled,
      settings.scheduler.max_tasks,
      formatDuration(settings.scheduler.history_after),
      formatDuration(settings.scheduler.history_keep)
  );
  text += fmt::format("plugins:\n  dir: {}\n  list: {}\n", quoted(settings.plugins.dir), list(settings.plugins.list));
  if (!settings.plugins.config.empty()) text += "  config:\n";
  for (const auto& [type, config] : settings.plugins.config)
    text += fmt::format("    {}: {}\n", quoted(type), redact(config).dump());
  if (!settings.connections.empty()) text += "connections:\n";
  for (const auto& [name, connection] : settings.connections) text += dumpConnection(name, connection);
  return text +
         fmt::format(
             "log:\n  level: {}\n  format: {}\n", levelName(settings.log.level), formatName(settings.log.format)
         ) +
         fmt::format("http:\n  listen: {}\n", quoted(settings.http.listen));
}

}  // namespace disttask::settings
