#include "online_check.hpp"

#include "disttask/plugin/plugin_check.hpp"
#include "disttask/plugin/plugin_loader.hpp"
#include "disttask/settings/endpoint_text.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "disttask/storage/mysql/grants.hpp"
#include "online_lines.hpp"

#include "../../exit_codes.hpp"
#include "../../store_settings.hpp"

#include <iterator>
#include <map>

namespace disttask::ctl {
namespace {

using Lines = std::vector<CheckLine>;

void checkPlugins(const settings::PluginSettings& settings, Lines& lines) {
  const auto files = plugin::findPlugins(settings.dir, settings.list);
  if (!files) {
    lines.push_back(
        {"plugin",
         settings.dir,
         CheckState::kWarning,
         files.error().message(),
         "name the folder of plugins in plugins.dir: without it this node offers no task types",
         0}
    );
    return;
  }
  std::map<std::string, std::string> config;
  for (const auto& [type, value] : settings.config) config.emplace(type, value.dump());
  for (const auto& file : files.value()) {
    const auto check = plugin::checkPlugin(file, std::chrono::seconds(30), config);
    if (!check.problem.empty()) {
      // One that merely lies in the folder is left out by a daemon, one of the list ends it.
      const bool ends = !settings.list.empty();
      lines.push_back(
          {"plugin",
           file,
           ends ? CheckState::kFailed : CheckState::kWarning,
           check.problem,
           ends ? "a daemon does not start with it: mend it or take it out of plugins.list"
                : "a daemon leaves it out: mend it or take it out of the folder",
           ends ? app::kExitConfig : 0}
      );
      continue;
    }
    std::string types;
    for (const auto& type : check.types) types += (types.empty() ? "" : ", ") + type.name + " " + type.version;
    lines.push_back({"plugin", file, CheckState::kOk, "offers " + types, "", 0});
  }
}

/// Opens a session on each server by itself; returns whether one answered.
bool checkEndpoints(const sqlclient::ConnectSettings& connect, Lines& lines) {
  bool any = false;
  for (const auto& endpoint : connect.endpoints) {
    settings::Endpoint shown;
    shown.host = endpoint.host;
    shown.port = endpoint.port;
    shown.socket = endpoint.socket;
    const auto subject = settings::toString(shown);
    auto one = connect;
    one.endpoints = {endpoint};
    one.schema.clear();
    try {
      static_cast<void>(sqlclient::Connection::open(one));
      lines.push_back({"connect", subject, CheckState::kOk, "answers, and takes the login of " + one.user, "", 0});
      any = true;
    } catch (const Exception& failure) {
      lines.push_back(lineOf("connect", subject, failure.error()));
    }
  }
  return any;
}

void checkStore(const settings::Settings& settings, const settings::HostFacts& facts, Lines& lines) {
  auto to_store = app::toStoreSettings(settings.store, facts, settings.node.lease);
  to_store.pool_size = 1;
  if (!checkEndpoints(to_store.connect, lines)) return;
  storage::mysql::Store store(std::move(to_store), runtime::systemClock());
  const auto call = [] {
    return runtime::Call{{}, runtime::Deadline(runtime::systemClock(), std::chrono::seconds(30))};
  };
  DoctorFacts seen;
  seen.role = std::string(toString(storage::mysql::Role::kDaemon));
  try {
    seen.schema = store.schema().status(call());
    // Sessions of the tables need the database.
    if (seen.schema->version_found > 0) {
      seen.server = store.health().lookAtServer(call());
      seen.missing_rights = store.health().findMissingRights(
          call(),
          storage::mysql::rightsOf(storage::mysql::Role::kDaemon, {settings.store.schema, settings.store.side_schema})
      );
    }
  } catch (const Exception& failure) {
    if (seen.missing_rights.empty()) lines.push_back(lineOf("grants", settings.store.schema, failure.error()));
  }
  auto found = linesOf(seen, settings.store);
  lines.insert(lines.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
}

void checkConnections(const settings::Settings& settings, const settings::HostFacts& facts, Lines& lines) {
  for (const auto& [name, connection] : settings.connections) {
    try {
      static_cast<void>(sqlclient::Connection::open(app::toConnectSettings(connection, facts)));
      lines.push_back({"connection", name, CheckState::kOk, "answers, and takes the login of " + connection.user, "", 0}
      );
    } catch (const Exception& failure) {
      auto line = lineOf("connection", name, failure.error());
      // A daemon starts without it; its tasks would fail.
      line.state = CheckState::kWarning;
      line.exit_code = 0;
      lines.push_back(std::move(line));
    }
  }
}

}  // namespace

std::vector<CheckLine> checkOnline(Context& context, const settings::Settings& settings) {
  Lines lines;
  checkPlugins(settings.plugins, lines);  // first: it forks
  checkStore(settings, context.facts(), lines);
  checkConnections(settings, context.facts(), lines);
  return lines;
}

}  // namespace disttask::ctl
