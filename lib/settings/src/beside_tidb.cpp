#include "beside_tidb.hpp"

#include "disttask/settings/endpoint_text.hpp"

namespace disttask::settings {
namespace {

/// Where a key stands, or its section, or the first line.
int lineOf(Section& root, std::string_view section_name, std::string_view key) {
  const auto* section = root.find(section_name);
  if (section == nullptr) return 1;
  for (const auto& member : section->value.members) {
    if (member.key == key) return member.line;
  }
  return section->line;
}

bool isHostAndPort(const std::string& id) {
  const auto endpoint = parseEndpoint(id, 0);
  return endpoint && endpoint->socket.empty() && !endpoint->host.empty() && endpoint->port != 0;
}

}  // namespace

void applyBesideTiDb(Section& root, Problems& problems, Settings& settings) {
  if (settings.store.schema != "mysql") return;
  const auto refuse = [&](std::string_view section, std::string_view key, const std::string& text) {
    const auto path = std::string(section) + "." + std::string(key);
    problems.push_back({lineOf(root, section, key), path, text + ", since store.schema is mysql"});
  };
  bool is_explicit = false;
  if (const auto* scheduler = root.find("scheduler")) {
    for (const auto& member : scheduler->value.members) is_explicit = is_explicit || member.key == "enabled";
  }
  if (is_explicit && settings.scheduler.enabled)
    refuse("scheduler", "enabled", "value 'true', expected false: TiDB's own scheduler plans and balances");
  settings.scheduler.enabled = false;
  if (!isHostAndPort(settings.node.id))
    refuse("node", "id", "value '" + settings.node.id + "', expected HOST:PORT as TiDB names its nodes");
}

}  // namespace disttask::settings
