#include "disttask/plugin/plugin_check.hpp"

#include "child_report.hpp"
#include "disttask/base/json.hpp"
#include "disttask/plugin/plugin_loader.hpp"

namespace disttask::plugin {
namespace {

Json reportOf(
    const std::string& path,
    const std::map<std::string, std::string>& config,
    const std::function<void(const std::string&)>& tell
) {
  TaskTypes types;
  NoConnections connections;
  PluginLoaderSettings settings;
  settings.config = config;
  settings.on_step = tell;
  PluginLoader loader(std::move(settings), types, connections, runtime::systemClock());
  Json report;
  const auto loaded = loader.load(path);
  if (!loaded) {
    report["problem"] = loaded.error().message();
    return report;
  }
  report["path"] = loaded.value().origin;
  report["name"] = loaded.value().name;
  report["version"] = loaded.value().version;
  report["build"] = loaded.value().build;
  for (const auto& type : types.all()) {
    Json item;
    item["name"] = type->name();
    item["version"] = type->version();
    report["types"].push(std::move(item));
  }
  return report;
}

std::string textOf(const Json& report, std::string_view key) {
  const Json* const member = report.find(key);
  return member != nullptr && member->isString() ? member->asString() : std::string();
}

PluginCheck parseReport(const Json& report) {
  PluginCheck check{
      textOf(report, "problem"),
      textOf(report, "path"),
      textOf(report, "name"),
      textOf(report, "version"),
      textOf(report, "build"),
      {}};
  if (const Json* types = report.find("types")) {
    for (const Json& type : types->asArray()) check.types.push_back({textOf(type, "name"), textOf(type, "version")});
  }
  return check;
}

}  // namespace

PluginCheck checkPlugin(
    const std::string& path, runtime::Duration limit, const std::map<std::string, std::string>& config
) {
  const auto child = runInChild(
      [&path, &config](const auto& tell) {
        try {
          return reportOf(path, config, tell);
        } catch (const std::exception&) {
          Json report;
          report["problem"] = "plugin " + path + " cannot be checked: " + currentError().message();
          return report;
        }
      },
      limit
  );
  if (child.ended.empty()) return parseReport(child.report);
  PluginCheck check;
  check.problem = "plugin " + path + " " + child.ended;
  return check;
}

}  // namespace disttask::plugin
