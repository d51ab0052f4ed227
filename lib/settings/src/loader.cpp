#include "disttask/settings/loader.hpp"

#include "beside_tidb.hpp"
#include "disttask/settings/endpoint_text.hpp"
#include "store_section.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace disttask::settings {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLevels{
    {{"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo}, {"warn", LogLevel::kWarn}, {"error", LogLevel::kError}}};
constexpr std::array<std::pair<std::string_view, LogFormat>, 3> kFormats{
    {{"auto", LogFormat::kAuto}, {"text", LogFormat::kText}, {"json", LogFormat::kJson}}};

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

const YamlNode* valueOf(Section& root, std::string_view key) {
  const auto* member = root.find(key);
  return member == nullptr ? nullptr : &member->value;
}

void readNodeId(Section& section, const HostFacts& facts, NodeSettings& settings) {
  section.readText("instance", settings.instance);
  if (!settings.instance.empty() &&
      (!isPrintable(settings.instance) || settings.instance.find(':') != std::string::npos)) {
    section.problem("instance", "value '" + settings.instance + "', expected a text without spaces and colons");
  }
  section.readText("id", settings.id);
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

void readNode(const YamlNode* node, Problems& problems, const HostFacts& facts, NodeSettings& settings) {
  Section section(node, "node", problems);
  readNodeId(section, facts, settings);
  section.readText("scope", settings.scope);
  if (settings.scope.size() > 64 || !isPrintable(settings.scope)) {
    section.problem("scope", "value '" + settings.scope.substr(0, 80) + "', expected at most 64 bytes without spaces");
  }
  settings.slots = std::max(1, facts.cpu_count);
  section.readInt("slots", 1, 4096, settings.slots);
  settings.memory_bytes = facts.memory_bytes;
  section.readSize("memory", 16 << 20, 1LL << 46, settings.memory_bytes);
  section.readText("listen", settings.listen);
  section.readText("advertise", settings.advertise);
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
  section.readText("state_dir", settings.state_dir);
  if (settings.state_dir.front() != '/')
    section.problem("state_dir", "value '" + settings.state_dir + "', expected an absolute path");
  section.readDuration("lease", seconds(3), hours(1), settings.lease);
  section.readDuration("stop_timeout", milliseconds(0), hours(24), settings.stop_timeout);
  section.readInt("max_abnormal_ends", 1, 1'000'000, settings.max_abnormal_ends);
}

void readPolling(const YamlNode* node, Problems& problems, PollingSettings& settings) {
  Section section(node, "polling", problems);
  section.readDuration("task_interval", milliseconds(10), minutes(1), settings.task_interval);
  section.readDuration("subtask_interval", milliseconds(10), minutes(1), settings.subtask_interval);
  section.readDuration("max_interval", milliseconds(10), minutes(10), settings.max_interval);
  if (settings.max_interval < std::max(settings.task_interval, settings.subtask_interval)) {
    section.problem(
        "max_interval", "is shorter than task_interval or subtask_interval, expected at least the longer of them"
    );
  }
}

void readPlugins(const YamlNode* node, Problems& problems, const HostFacts& facts, PluginSettings& settings) {
  Section section(node, "plugins", problems);
  settings.dir = facts.plugin_dir;
  section.readText("dir", settings.dir);
  if (section.has("dir") && settings.dir.front() != '/')
    section.problem("dir", "value '" + settings.dir + "', expected an absolute path");
  section.readTexts("list", settings.list);
  const auto* config = section.find("config");
  Section types(config == nullptr ? nullptr : &config->value, "plugins.config", problems);
  for (const auto& member : types.all()) settings.config.emplace(member.key, toJson(member.value));
}

void readHttp(const YamlNode* node, Problems& problems, HttpSettings& settings) {
  Section section(node, "http", problems);
  section.readTextOrNone("listen", settings.listen);
  if (!settings.listen.empty() && !isAddress(parseEndpoint(settings.listen, 0))) {
    section.problem("listen", "value '" + settings.listen + "', expected IP_ADDRESS:PORT, or '' for none");
  }
}

std::string formatProblems(Problems& problems, const std::string& file_name) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return a.line < b.line;
  });
  std::string text;
  for (const auto& problem : problems) {
    if (!text.empty()) text += '\n';
    text += fmt::format(
        "{}:{}: {}{}{}", file_name, problem.line, problem.path, problem.path.empty() ? "" : ": ", problem.text
    );
  }
  return text;
}

Expected<std::string> readFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!file) return Error(ErrorCode::kInvalidConfig, path + ": " + std::generic_category().message(errno));
  // One byte more than a file may have is enough to refuse it.
  std::string text((1 << 20) + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0)
    return Error(ErrorCode::kInvalidConfig, path + ": " + std::generic_category().message(errno));
  return text;
}

}  // namespace

Expected<Settings> parseSettings(std::string_view yaml, const std::string& file_name, const HostFacts& facts) {
  Problems problems;
  const auto tree = parseYaml(yaml, problems);
  Settings settings;
  if (problems.empty() || !tree.members.empty()) {
    Section root(&tree, "", problems);
    readNode(valueOf(root, "node"), problems, facts, settings.node);
    readStore(valueOf(root, "store"), problems, facts, settings.store);
    readPolling(valueOf(root, "polling"), problems, settings.polling);
    {
      Section scheduler(valueOf(root, "scheduler"), "scheduler", problems);
      scheduler.readBool("enabled", settings.scheduler.enabled);
      scheduler.readInt("max_tasks", 1, 4096, settings.scheduler.max_tasks);
      scheduler.readDuration("history_after", milliseconds(0), hours(365 * 24), settings.scheduler.history_after);
      scheduler.readDuration("history_keep", hours(1), hours(10 * 365 * 24), settings.scheduler.history_keep);
    }
    readPlugins(valueOf(root, "plugins"), problems, facts, settings.plugins);
    readConnections(valueOf(root, "connections"), problems, facts, settings.connections);
    applyBesideTiDb(root, problems, settings);
    {
      Section log(valueOf(root, "log"), "log", problems);
      log.readWord<LogLevel>("level", kLevels, settings.log.level);
      log.readWord<LogFormat>("format", kFormats, settings.log.format);
    }
    readHttp(valueOf(root, "http"), problems, settings.http);
  }
  if (!problems.empty()) return Error(ErrorCode::kInvalidConfig, formatProblems(problems, file_name));
  return settings;
}

Expected<Settings> loadSettings(const std::string& path, const HostFacts& facts) {
  const auto text = readFile(path);
  if (!text) return text.error();
  return parseSettings(text.value(), path, facts);
}

Expected<StoreSettings> loadCtlSettings(const std::string& path, const HostFacts& facts) {
  const auto text = readFile(path);
  if (!text) return text.error();
  Problems problems;
  const auto tree = parseYaml(text.value(), problems);
  StoreSettings store;
  if (problems.empty() || !tree.members.empty()) {
    Section root(&tree, "", problems);
    readStore(valueOf(root, "store"), problems, facts, store);
  }
  if (!problems.empty()) return Error(ErrorCode::kInvalidConfig, formatProblems(problems, path));
  return store;
}

}  // namespace disttask::settings
