#include "beside_tidb.hpp"

#include "disttask/base/tidb_schema.hpp"
#include "disttask/settings/endpoint_text.hpp"

#include <algorithm>
#include <cctype>

namespace disttask::settings {
namespace {

/// Where a key stands, or its section, or the first line.
Place placeOf(const Section& root, std::string_view section_name, std::string_view key) {
  const auto* section = root.find(section_name);
  if (section == nullptr) return {};
  for (const auto& member : section->value.members) {
    if (member.key == key) return member.place;
  }
  return section->place;
}

bool isHostAndPort(const std::string& id) {
  const auto endpoint = parseEndpoint(id, 0);
  return endpoint && endpoint->socket.empty() && !endpoint->host.empty() && endpoint->port != 0;
}

/// What tidb_service_scope may be, so what a task can name as its target. In small letters: ADD INDEX takes its target
/// from a copy of the variable that is.
bool isServiceScope(const std::string& scope) {
  return !scope.empty() && scope.size() <= 64 && std::all_of(scope.begin(), scope.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

/// What any scope must be; others are refused where it is read.
bool isOneWord(const std::string& scope) {
  return !scope.empty() && scope.size() <= 64 && std::all_of(scope.begin(), scope.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
  });
}

}  // namespace

void applyBesideTiDb(Section& root, Settings& settings) {
  if (!isTidbSchema(settings.store.schema)) return;
  const auto refuse = [&](std::string_view section, std::string_view key, const std::string& text) {
    const auto path = std::string(section) + "." + std::string(key);
    root.problemAt(placeOf(root, section, key), path, text + ", since store.schema is mysql");
  };
  bool is_explicit = false;
  if (const auto* scheduler = root.find("scheduler")) {
    // One without a value says nothing.
    for (const auto& member : scheduler->value.members)
      is_explicit = is_explicit || (member.key == "enabled" && member.value.kind != YamlNode::Kind::kNull);
  }
  if (is_explicit && settings.scheduler.enabled)
    refuse("scheduler", "enabled", "value 'true', expected false: TiDB's own scheduler plans and balances");
  settings.scheduler.enabled = false;
  const auto& scope = settings.node.scope;
  if (scope == "background") {
    refuse(
        "node", "scope", "value 'background', expected another one: TiDB gives such nodes its own imports and indexes"
    );
  } else if (!isServiceScope(scope) && isOneWord(scope)) {
    refuse(
        "node",
        "scope",
        "value '" + scope + "', expected 1 to 64 small letters, digits, '-' and '_', as tidb_service_scope"
    );
  }
  if (!isHostAndPort(settings.node.id))
    refuse("node", "id", "value '" + settings.node.id + "', expected HOST:PORT as TiDB names its nodes");
}

}  // namespace disttask::settings
