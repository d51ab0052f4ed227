#include "disttask/settings/values.hpp"

#include "disttask/settings/endpoint_text.hpp"
#include "disttask/settings/units.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace disttask::settings {
namespace {

/// Collects values under the keys of the table.
class Values {
 public:
  /// Values of `connections.NAME` follow under that name.
  void setName(std::string name) { name_ = std::move(name); }

  void add(std::string_view pattern, Json value) {
    SettingValue to;
    to.key = findKey(pattern);
    std::string_view rest = pattern;
    while (!rest.empty()) {
      const auto dot = rest.find('.');
      const auto part = rest.substr(0, dot);
      to.path.emplace_back(part == "*" ? std::string_view(name_) : part);
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    }
    to.value = std::move(value);
    all_.push_back(std::move(to));
  }
  void add(std::string_view pattern, std::int32_t value) { add(pattern, Json(std::int64_t{value})); }
  void add(std::string_view pattern, milliseconds value) { add(pattern, Json(formatDuration(value))); }
  void add(std::string_view pattern, const std::vector<std::string>& texts) {
    add(pattern, Json(Json::Array(texts.begin(), texts.end())));
  }
  void addIfSet(std::string_view pattern, const std::string& text) {
    if (!text.empty()) add(pattern, Json(text));
  }
  template <typename Enum>
  void addWord(std::string_view pattern, Enum value) {
    add(pattern, Json(findKey(pattern)->words.at(static_cast<std::size_t>(value))));
  }

  void addAccess(const std::string& prefix, const PasswordSource& password) {
    addIfSet(prefix + ".password_file", password.file);
    addIfSet(prefix + ".password_credential", password.credential);
  }
  void addTls(const std::string& prefix, const Tls& tls) {
    addWord(prefix + ".tls.mode", tls.mode);
    addIfSet(prefix + ".tls.ca", tls.ca);
    addIfSet(prefix + ".tls.cert", tls.cert);
    addIfSet(prefix + ".tls.key", tls.key);
  }

  std::vector<SettingValue> take() { return std::move(all_); }

 private:
  std::string name_;
  std::vector<SettingValue> all_;
};

void addNode(Values& values, const NodeSettings& node) {
  values.add("node.id", Json(node.id));
  values.addIfSet("node.instance", node.instance);
  values.add("node.scope", Json(node.scope));
  values.add("node.slots", node.slots);
  if (node.memory_bytes > 0) values.add("node.memory", Json(formatSize(node.memory_bytes)));
  values.add("node.listen", Json(node.listen));
  values.addIfSet("node.advertise", node.advertise);
  values.add("node.state_dir", Json(node.state_dir));
  values.add("node.lease", node.lease);
  values.add("node.drain_timeout", node.drain_timeout);
  values.add("node.stop_timeout", node.stop_timeout);
  values.add("node.max_abnormal_ends", node.max_abnormal_ends);
}

void addStore(Values& values, const StoreSettings& store) {
  std::vector<std::string> endpoints;
  for (const auto& endpoint : store.endpoints) endpoints.push_back(toString(endpoint));
  if (store.endpoints.size() == 1 && !store.endpoints.front().socket.empty()) {
    values.add("store.socket", Json(endpoints.front()));
  } else {
    values.add("store.endpoints", endpoints);
  }
  values.add("store.user", Json(store.user));
  values.addAccess("store", store.password);
  values.add("store.schema", Json(store.schema));
  values.addIfSet("store.side_schema", store.side_schema);
  values.addTls("store", store.tls);
  values.add("store.connect_timeout", store.connect_timeout);
  values.add("store.read_timeout", store.read_timeout);
  values.add("store.pool.max_connections", store.pool.max_connections);
  values.add("store.pool.max_idle", store.pool.max_idle);
}

void addConnection(Values& values, const std::string& name, const ConnectionSettings& connection) {
  values.setName(name);
  const bool by_socket = !connection.endpoint.socket.empty();
  values.add(by_socket ? "connections.*.socket" : "connections.*.endpoint", Json(toString(connection.endpoint)));
  values.add("connections.*.user", Json(connection.user));
  values.addAccess("connections.*", connection.password);
  values.addTls("connections.*", connection.tls);
  values.add("connections.*.max_connections", connection.max_connections);
  values.add("connections.*.types", connection.types);
  values.add("connections.*.schemas", connection.schemas);
  values.addIfSet("connections.*.ledger", connection.ledger);
}

/// Keys of maps that are names may be anything; those of the table need no quotes.
std::string keyText(const SettingValue& value, std::size_t depth) {
  const bool is_name =
      (value.path.front() == "connections" && depth == 1) || (value.key->path == "plugins.config.*" && depth == 2);
  return is_name ? Json(value.path[depth]).dump() : value.path[depth];
}

}  // namespace

std::string SettingValue::name() const {
  return fmt::format("{}", fmt::join(path, "."));
}

std::vector<SettingValue> valuesOf(const Settings& settings) {
  Values values;
  addNode(values, settings.node);
  addStore(values, settings.store);
  values.add("polling.task_interval", settings.polling.task_interval);
  values.add("polling.subtask_interval", settings.polling.subtask_interval);
  values.add("polling.max_interval", settings.polling.max_interval);
  values.add("scheduler.enabled", Json(settings.scheduler.enabled));
  values.add("scheduler.max_tasks", settings.scheduler.max_tasks);
  values.add("scheduler.history_after", settings.scheduler.history_after);
  values.add("scheduler.history_keep", settings.scheduler.history_keep);
  values.add("plugins.dir", Json(settings.plugins.dir));
  values.add("plugins.list", settings.plugins.list);
  for (const auto& [type, config] : settings.plugins.config) {
    values.setName(type);
    values.add("plugins.config.*", config);
  }
  for (const auto& [name, connection] : settings.connections) addConnection(values, name, connection);
  values.addWord("log.level", settings.log.level);
  values.addWord("log.format", settings.log.format);
  values.add("http.listen", Json(settings.http.listen));
  return values.take();
}

Json redacted(const Json& value) {
  if (value.isArray()) {
    Json::Array items;
    for (const auto& item : value.asArray()) items.push_back(redacted(item));
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
    members.emplace(key, secret ? Json("(not shown)") : redacted(member));
  }
  return members;
}

std::string shownValue(const SettingValue& value) {
  if (value.key == nullptr) return "nothing";
  switch (value.key->kind) {
    case KeyKind::kDuration:
    case KeyKind::kSize:
    case KeyKind::kWord:
      return value.value.asString();
    default:
      break;
  }
  // A JSON value is a YAML value too, and needs no rules of its own for quoting.
  return redacted(value.value).dump();
}

std::string dumpSettings(const Settings& settings) {
  std::string text;
  std::vector<std::string> open;
  for (const auto& value : valuesOf(settings)) {
    // What the instance is for is in the id already, and only one of them may stand in a file.
    if (value.key->path == "node.instance") continue;
    std::size_t depth = 0;
    while (depth + 1 < value.path.size() && depth < open.size() && open[depth] == value.path[depth]) ++depth;
    open.resize(depth);
    for (; depth + 1 < value.path.size(); ++depth) {
      text += fmt::format("{:{}}{}:\n", "", depth * 2, keyText(value, depth));
      open.push_back(value.path[depth]);
    }
    text += fmt::format("{:{}}{}: {}\n", "", depth * 2, keyText(value, depth), shownValue(value));
  }
  return text;
}

std::vector<SettingChange> changesOf(const Settings& before, const Settings& after) {
  auto old_values = valuesOf(before);
  std::vector<SettingChange> changes;
  for (auto& value : valuesOf(after)) {
    const auto at = std::find_if(old_values.begin(), old_values.end(), [&](const SettingValue& old) {
      return old.path == value.path;
    });
    if (at == old_values.end()) {
      changes.push_back({{}, std::move(value)});
      continue;
    }
    if (at->value != value.value) changes.push_back({*at, std::move(value)});
    old_values.erase(at);
  }
  for (auto& old : old_values) changes.push_back({std::move(old), {}});
  return changes;
}

std::string originOf(const SettingsRead& read, const SettingValue& value) {
  const auto at = read.places.find(value.name());
  if (at != read.places.end()) return fmt::format("{}:{}", at->second.file, at->second.line);
  const auto& key = *value.key;
  if (key.default_from.empty()) {
    // Beside a live TiDB its own scheduler plans.
    if (key.path == "scheduler.enabled" && !read.settings.scheduler.enabled) return "default: store.schema is mysql";
    return "default";
  }
  std::string words;
  for (const char c : key.default_from) {
    if (c != '`') words.push_back(c);
  }
  return "default: " + words;
}

}  // namespace disttask::settings
