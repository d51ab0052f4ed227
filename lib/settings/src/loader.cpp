#include "disttask/settings/loader.hpp"

#include "beside_tidb.hpp"
#include "config_files.hpp"
#include "disttask/base/printable.hpp"
#include "disttask/settings/endpoint_text.hpp"
#include "store_section.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace disttask::settings {
namespace {

/// A list of all keys that are known fits, a value of a megabyte does not.
constexpr std::size_t kMaxProblemBytes = 2000;

/// True for names that every host answers to: they identify nobody.
bool isLocalName(std::string_view name) {
  const auto host = name.substr(0, name.find(':'));
  return host.empty() || host == "localhost" || host.substr(0, 10) == "localhost." || host == "(none)" ||
         host.substr(0, 4) == "127.";
}

bool isPrintable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
  });
}

/// Nudges are sent without asking a name server, so that they never wait.
bool isAddress(const std::optional<Endpoint>& endpoint) {
  if (!endpoint || !endpoint->socket.empty()) return false;
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  const auto* host = endpoint->host.c_str();
  return endpoint->host == "localhost" || inet_pton(AF_INET, host, bytes.data()) == 1 ||
         inet_pton(AF_INET6, host, bytes.data()) == 1;
}

void readNodeId(Section& section, const HostFacts& facts, NodeSettings& settings) {
  settings.instance = section.has("id") ? "" : facts.instance;
  section.read("instance", settings.instance);
  if (!settings.instance.empty() &&
      (!isPrintable(settings.instance) || settings.instance.find(':') != std::string::npos)) {
    section.problem("instance", "value '" + settings.instance + "', expected a text without spaces and colons");
  }
  section.read("id", settings.id);
  if (section.has("id")) {
    if (isLocalName(settings.id))
      section.problem("id", "value '" + settings.id + "', expected a name that no other host has, never localhost");
    if (section.has("instance")) section.problem("instance", "stands beside id, expected only one of them");
  } else if (isLocalName(facts.host_name)) {
    section.problem(
        "id", "is missing, and this host calls itself '" + facts.host_name + "', which identifies nobody; set node.id"
    );
  } else {
    settings.id = settings.instance.empty() ? facts.host_name : facts.host_name + ":" + settings.instance;
  }
  if (settings.id.size() > 261 || !isPrintable(settings.id)) {
    section.problem("id", "value '" + settings.id.substr(0, 80) + "', expected at most 261 bytes without spaces");
  }
}

void readNode(Section& root, const HostFacts& facts, NodeSettings& settings) {
  Section section(root, "node");
  readNodeId(section, facts, settings);
  section.read("scope", settings.scope);
  if (settings.scope.size() > 64 || !isPrintable(settings.scope)) {
    section.problem("scope", "value '" + settings.scope.substr(0, 80) + "', expected at most 64 bytes without spaces");
  }
  settings.slots = std::max(1, facts.cpu_count);
  section.read("slots", settings.slots);
  settings.memory_bytes = facts.memory_bytes;
  section.read("memory", settings.memory_bytes);
  section.read("listen", settings.listen);
  section.read("advertise", settings.advertise);
  const auto listen = parseEndpoint(settings.listen, 0);
  if (!isAddress(listen)) {
    section.problem("listen", "value '" + settings.listen + "', expected IP_ADDRESS:PORT");
  } else if ((listen->host == "0.0.0.0" || listen->host == "::") && settings.advertise.empty()) {
    section.problem(
        "advertise", "is missing, expected IP_ADDRESS or IP_ADDRESS:PORT, since listen takes every address"
    );
  }
  if (!settings.advertise.empty()) {
    if (!isAddress(parseEndpoint(settings.advertise, 0))) {
      section.problem("advertise", "value '" + settings.advertise + "', expected IP_ADDRESS or IP_ADDRESS:PORT");
    }
  }
  section.read("state_dir", settings.state_dir);
  if (!section.has("state_dir") && !facts.state_dir.empty()) settings.state_dir = facts.state_dir;
  if (settings.state_dir.front() != '/')
    section.problem("state_dir", "value '" + settings.state_dir + "', expected an absolute path");
  section.read("lease", settings.lease);
  section.read("drain_timeout", settings.drain_timeout);
  section.read("stop_timeout", settings.stop_timeout);
  section.read("max_abnormal_ends", settings.max_abnormal_ends);
}

void readPolling(Section& root, PollingSettings& settings) {
  Section section(root, "polling");
  section.read("task_interval", settings.task_interval);
  section.read("subtask_interval", settings.subtask_interval);
  section.read("max_interval", settings.max_interval);
  if (settings.max_interval < std::max(settings.task_interval, settings.subtask_interval)) {
    section.problem(
        "max_interval", "is shorter than task_interval or subtask_interval, expected at least the longer of them"
    );
  }
}

void readPlugins(Section& root, const HostFacts& facts, PluginSettings& settings) {
  Section section(root, "plugins");
  settings.dir = facts.plugin_dir;
  section.read("dir", settings.dir);
  if (section.has("dir") && settings.dir.front() != '/')
    section.problem("dir", "value '" + settings.dir + "', expected an absolute path");
  section.read("list", settings.list);
  const Section types(section, "config");
  for (const auto& member : types.all()) settings.config.emplace(member.key, toJson(member.value));
}

void readHttp(Section& root, HttpSettings& settings) {
  Section section(root, "http");
  section.read("listen", settings.listen);
  if (!settings.listen.empty() && !isAddress(parseEndpoint(settings.listen, 0))) {
    section.problem("listen", "value '" + settings.listen + "', expected IP_ADDRESS:PORT, or '' for none");
  }
}

void readScheduler(Section& root, SchedulerSettings& settings) {
  Section section(root, "scheduler");
  section.read("enabled", settings.enabled);
  section.read("max_tasks", settings.max_tasks);
  section.read("history_after", settings.history_after);
  section.read("history_keep", settings.history_keep);
}

void readLog(Section& root, LogSettings& settings) {
  Section section(root, "log");
  section.readWord("level", settings.level);
  section.readWord("format", settings.format);
}

Settings readAll(const YamlNode& tree, const HostFacts& facts, Problems& problems) {
  Settings settings;
  Section root(tree, problems);
  readNode(root, facts, settings.node);
  readStore(root, facts, settings.store);
  readPolling(root, settings.polling);
  readScheduler(root, settings.scheduler);
  readPlugins(root, facts, settings.plugins);
  readConnections(root, facts, settings.connections);
  applyBesideTiDb(root, settings);
  readLog(root, settings.log);
  readHttp(root, settings.http);
  return settings;
}

/// Notes where each key with a value stands; what the table does not split stays one.
void notePlaces(
    const YamlNode& node,
    const std::string& path,
    const std::string& pattern,
    const std::vector<std::string>& files,
    std::map<std::string, SettingPlace>& places
) {
  const auto below = namesBelow(pattern);
  if (below.empty()) return;
  for (const auto& member : node.members) {
    if (member.value.kind == YamlNode::Kind::kNull) continue;
    const auto prefix = path.empty() ? "" : path + ".";
    const auto key = prefix + member.key;
    const auto& place = member.place;
    places[key] = {files.at(static_cast<std::size_t>(place.file)), place.line, place.column};
    notePlaces(
        member.value,
        key,
        (pattern.empty() ? "" : pattern + ".") + (below.front() == "*" ? "*" : member.key),
        files,
        places
    );
  }
}

std::vector<SettingsProblem> named(Problems problems, const std::vector<std::string>& files) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return a.place < b.place;
  });
  std::vector<SettingsProblem> to;
  for (auto& problem : problems) {
    const auto& place = problem.place;
    to.push_back(
        {files.at(static_cast<std::size_t>(place.file)),
         place.line,
         place.column,
         toPrintable(problem.path),
         toPrintable(problem.text, kMaxProblemBytes)}
    );
  }
  return to;
}

Error toError(const std::vector<SettingsProblem>& problems) {
  std::string text;
  for (const auto& problem : problems) text += (text.empty() ? "" : "\n") + toString(problem);
  return {ErrorCode::kInvalidConfig, text};
}

/// Reads what the files say together. After a file that could not be read, or is no YAML, nothing is known of the rest.
SettingsRead readDocuments(ConfigFiles files, const HostFacts& facts, Problems problems) {
  SettingsRead read;
  if (files.complete) {
    read.settings = readAll(files.tree, facts, problems);
    notePlaces(files.tree, "", "", files.names, read.places);
  }
  read.problems = named(std::move(problems), files.names);
  read.files = std::move(files.names);
  return read;
}

Expected<Settings> settingsOf(SettingsRead read) {
  if (!read.problems.empty()) return toError(read.problems);
  return std::move(read.settings);
}

}  // namespace

std::string toString(const SettingsProblem& problem) {
  auto text = problem.file;
  if (problem.line > 0) text += fmt::format(":{}:{}", problem.line, problem.column);
  if (!problem.path.empty()) text += ": " + problem.path;
  return text + ": " + problem.text;
}

SettingsRead readSettings(const std::string& path, const HostFacts& facts) {
  Problems problems;
  auto files = readConfigFiles(path, true, problems);
  return readDocuments(std::move(files), facts, std::move(problems));
}

Expected<Settings> loadSettings(const std::string& path, const HostFacts& facts) {
  return settingsOf(readSettings(path, facts));
}

Expected<Settings> parseSettings(std::string_view yaml, const std::string& file_name, const HostFacts& facts) {
  Problems problems;
  auto files = readConfigText(yaml, file_name, problems);
  return settingsOf(readDocuments(std::move(files), facts, std::move(problems)));
}

Expected<StoreSettings> loadCtlSettings(const std::string& path, const HostFacts& facts) {
  Problems problems;
  const auto files = readConfigFiles(path, false, problems);
  StoreSettings store;
  if (files.complete) {
    Section root(files.tree, problems, "store");
    readStore(root, facts, store);
  }
  if (!problems.empty()) return toError(named(std::move(problems), files.names));
  return store;
}

}  // namespace disttask::settings
