#include "disttask/settings/key_table.hpp"

#include "disttask/settings/units.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace disttask::settings {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr auto kText = KeyKind::kText;
constexpr auto kInt = KeyKind::kInt;
constexpr auto kDuration = KeyKind::kDuration;
constexpr auto kTexts = KeyKind::kTexts;
constexpr auto kWord = KeyKind::kWord;

// clang-format off
constexpr Key kKeys[] = {
    {.path = "node.id", .default_from = "host name, or `HOSTNAME:instance`",
     .sentence = "Name of this node in the tables, the same after each restart and on no other machine"},
    {.path = "node.instance",
     .sentence = "Tells several daemons of one host apart; not beside id"},
    {.path = "node.scope", .default_text = "disttask", .is_live = true,
     .sentence = "Service scope: tasks are submitted for a scope and run on the nodes of it"},
    {.path = "node.slots", .kind = kInt, .min = 1, .max = 4096, .default_from = "CPUs that this process may use", .is_live = true,
     .sentence = "CPU slots that subtasks share"},
    {.path = "node.memory", .kind = KeyKind::kSize, .min = 16 << 20, .max = 1LL << 46, .default_from = "memory of the host or cgroup", .is_live = true,
     .sentence = "Memory that subtasks share by their slots"},
    {.path = "node.listen", .default_text = "127.0.0.1:0",
     .sentence = "UDP address for hints that there is work; port 0 = any free one"},
    {.path = "node.advertise", .default_from = "the bound address",
     .sentence = "IP address, or address and port, that other nodes use for hints; needed when listen takes every address"},
    {.path = "node.state_dir", .default_text = "/var/lib/disttask",
     .sentence = "Folder with the identity of this node and its lock"},
    {.path = "node.lease", .kind = kDuration, .min = 3 * kSecond, .max = kHour, .default_text = "30s",
     .sentence = "After this long without a sign of life others take this node's work"},
    {.path = "node.drain_timeout", .kind = kDuration, .min = 0, .max = kDay, .default_text = "30s",
     .sentence = "How long runs may end by themselves after SIGTERM, before the graceful stop"},
    {.path = "node.stop_timeout", .kind = kDuration, .min = 0, .max = kDay, .default_text = "30s",
     .sentence = "How long a graceful stop waits for runs that may not be interrupted"},
    {.path = "node.max_abnormal_ends", .kind = kInt, .min = 1, .max = 1'000'000, .default_text = "3",
     .sentence = "So often may a subtask end its node while it runs alone, then it fails"},

    {.path = "store.endpoints", .kind = kTexts,
     .sentence = "Servers, tried in order: HOST, HOST:PORT or [V6]:PORT; this or socket is needed"},
    {.path = "store.socket", .sentence = "Path of a unix socket, instead of endpoints"},
    {.path = "store.user", .default_text = "disttask", .sentence = "Account of the store"},
    {.path = "store.password_file", .sentence = "File with the password, read anew at each connect"},
    {.path = "store.password_credential", .sentence = "Name of the systemd credential that holds the password"},
    {.path = "store.schema", .default_text = "disttask", .sentence = "Schema that holds the tables"},
    {.path = "store.side_schema", .default_from = "`disttask` with schema `mysql`",
     .sentence = "Schema of our own tables beside those of TiDB; only with schema mysql"},
    {.path = "store.tls.mode", .kind = kWord, .words = {"off", "verify"}, .default_from = "`off` for a server of this host, else needed",
     .sentence = "verify: chain and host name, or no connection; off: sockets, loopback, networks that you trust"},
    {.path = "store.tls.ca", .sentence = "PEM file to verify the server with"},
    {.path = "store.tls.cert", .sentence = "PEM file with a client certificate; with key"},
    {.path = "store.tls.key", .sentence = "PEM file with the key of the client certificate"},
    {.path = "store.connect_timeout", .kind = kDuration, .min = kSecond, .max = kMinute, .default_text = "5s",
     .sentence = "Limit of one connect, for each endpoint"},
    {.path = "store.read_timeout", .kind = kDuration, .min = kSecond, .max = 5 * kMinute, .default_text = "10s",
     .sentence = "A statement that gets no answer for this long counts as lost"},
    {.path = "store.pool.max_connections", .kind = kInt, .min = 2, .max = 64, .default_text = "4",
     .sentence = "Connections at a time"},
    {.path = "store.pool.max_idle", .kind = kDuration, .min = kSecond, .max = kHour, .default_text = "30s",
     .sentence = "An idle connection older than this is not used again"},

    {.path = "polling.task_interval", .kind = kDuration, .min = 10, .max = kMinute, .default_text = "300ms", .is_live = true,
     .sentence = "Between looks for tasks that have work on this node"},
    {.path = "polling.subtask_interval", .kind = kDuration, .min = 10, .max = kMinute, .default_text = "300ms", .is_live = true,
     .sentence = "Between looks for subtasks of a running task"},
    {.path = "polling.max_interval", .kind = kDuration, .min = 10, .max = kMinute, .default_text = "2s", .is_live = true,
     .sentence = "Both back off to this while there is nothing to do"},

    {.path = "scheduler.enabled", .kind = KeyKind::kBool, .default_text = "true",
     .sentence = "May this node take the scheduler role? One node of all holds it at a time"},
    {.path = "scheduler.max_tasks", .kind = kInt, .min = 1, .max = 4096, .default_text = "16", .is_live = true,
     .sentence = "Tasks that run at the same time, by rank"},
    {.path = "scheduler.history_after", .kind = kDuration, .min = 0, .max = 365 * kDay, .default_text = "10m", .is_live = true,
     .sentence = "So long after its end a task moves to the history tables"},
    {.path = "scheduler.history_keep", .kind = kDuration, .min = kHour, .max = 3650 * kDay, .default_text = "14d", .is_live = true,
     .sentence = "So long the subtasks and events of a task stay there"},

    {.path = "plugins.dir", .default_from = "beside the installed program: `../lib/disttask/plugins`",
     .sentence = "Folder of plugins: every *.so in it is loaded, unless list names some; a reload loads new files"},
    {.path = "plugins.list", .kind = kTexts, .is_live = true,
     .sentence = "Names or paths: only these plugins are loaded; a reload loads what is new in it"},
    {.path = "plugins.config.*", .kind = KeyKind::kAny,
     .sentence = "What the plugin of this task type gets at start, as JSON"},

    {.path = "connections.*.endpoint", .is_live = true, .sentence = "HOST, HOST:PORT or [V6]:PORT; this or socket is needed"},
    {.path = "connections.*.socket", .is_live = true, .sentence = "Path of a unix socket, instead of endpoint"},
    {.path = "connections.*.user", .is_live = true, .sentence = "Account of the server; needed"},
    {.path = "connections.*.password_file", .is_live = true, .sentence = "File with the password, read anew at each call"},
    {.path = "connections.*.password_credential", .is_live = true, .sentence = "Name of the systemd credential that holds the password"},
    {.path = "connections.*.tls.mode", .kind = kWord, .words = {"off", "verify"}, .default_from = "`off` for a server of this host, else needed", .is_live = true,
     .sentence = "verify: chain and host name, or no connection; off: sockets, loopback, networks that you trust"},
    {.path = "connections.*.tls.ca", .is_live = true, .sentence = "PEM file to verify the server with"},
    {.path = "connections.*.tls.cert", .is_live = true, .sentence = "PEM file with a client certificate; with key"},
    {.path = "connections.*.tls.key", .is_live = true, .sentence = "PEM file with the key of the client certificate"},
    {.path = "connections.*.max_connections", .kind = kInt, .min = 1, .max = 64, .default_text = "4", .is_live = true,
     .sentence = "Places that this node's subtasks share"},
    {.path = "connections.*.types", .kind = kTexts, .is_live = true, .sentence = "Task types that may use it; needed"},
    {.path = "connections.*.schemas", .kind = kTexts, .is_live = true, .sentence = "Schemas that tasks may write through it; needed"},
    {.path = "connections.*.ledger", .default_from = "`FIRST_SCHEMA.disttask_csv_ledger`", .is_live = true,
     .sentence = "SCHEMA.TABLE in which the chunks that are done are noted"},

    {.path = "log.level", .kind = kWord, .words = {"debug", "info", "warn", "error"}, .default_text = "info", .is_live = true,
     .sentence = "Lines below this level are not written"},
    {.path = "log.format", .kind = kWord, .words = {"auto", "text", "json"}, .default_text = "auto", .is_live = true,
     .sentence = "auto: text, with the journal's priorities instead of time and level when stderr is the journal"},

    {.path = "http.listen", .kind = KeyKind::kTextOrNone, .default_text = "127.0.0.1:7460",
     .sentence = "IP address and port of the pages /metrics, /livez, /readyz, /statusz; port 0 = any free one; '' = none"},
};
// clang-format on

}  // namespace

std::span<const Key> keyTable() noexcept {
  return kKeys;
}

const Key* findKey(std::string_view path) noexcept {
  const auto* at = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& key) { return key.path == path; });
  return at == std::end(kKeys) ? nullptr : at;
}

std::vector<std::string> namesBelow(std::string_view path) {
  std::vector<std::string> names;
  for (const auto& key : kKeys) {
    auto rest = key.path;
    if (!path.empty()) {
      if (rest.size() <= path.size() || rest.substr(0, path.size()) != path || rest[path.size()] != '.') continue;
      rest.remove_prefix(path.size() + 1);
    }
    const std::string name(rest.substr(0, rest.find('.')));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::string expectedText(const Key& key) {
  switch (key.kind) {
    case KeyKind::kTextOrNone:
      return "a text, or '' for none";
    case KeyKind::kBool:
      return "true or false";
    case KeyKind::kInt:
      return fmt::format("a whole number from {} to {}", key.min, key.max);
    case KeyKind::kDuration:
      return fmt::format(
          "a length of time from {} to {}",
          formatDuration(std::chrono::milliseconds(key.min)),
          formatDuration(std::chrono::milliseconds(key.max))
      );
    case KeyKind::kSize:
      return fmt::format("a size from {} to {}", formatSize(key.min), formatSize(key.max));
    case KeyKind::kTexts:
      return "a list of texts";
    case KeyKind::kWord: {
      std::string text;
      for (const auto word : key.words) {
        if (!word.empty()) text.append(text.empty() ? "" : " or ").append(word);
      }
      return text;
    }
    case KeyKind::kText:
    case KeyKind::kAny:
      break;
  }
  return key.kind == KeyKind::kAny ? "any value" : "a text";
}

}  // namespace disttask::settings
