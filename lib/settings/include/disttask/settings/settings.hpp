#pragma once
#include "disttask/base/json.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace disttask::settings {

using std::chrono::milliseconds;

/// How a connection is protected; there is no "TLS if offered".
enum class TlsMode : std::uint8_t { kOff, kVerify };

struct Tls {
  TlsMode mode = TlsMode::kOff;
  std::string ca;    ///< PEM file; required for kVerify
  std::string cert;  ///< client certificate; with key
  std::string key;
};

/// Where a server is: host and port, or a unix socket.
struct Endpoint {
  std::string host;
  std::uint16_t port = 3306;
  std::string socket;  ///< path; when set, host and port do not matter
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// Where a password comes from; at most one of them is set. Read anew at each connect by readPassword (password.hpp).
struct PasswordSource {
  std::string file;        ///< path; must not be readable by everybody
  std::string credential;  ///< name of a systemd credential: the file of that name in $CREDENTIALS_DIRECTORY
  std::string
      value;  ///< the secret itself; only from an environment variable of disttaskctl, never from a file of settings
};

struct NodeSettings {
  std::string id;                                 ///< default: HOSTNAME, or HOSTNAME:instance; never localhost
  std::string instance;                           ///< tells daemons of one host apart
  std::string scope = "disttask";                 ///< tasks whose target scope is this one run here
  std::int32_t slots = 0;                         ///< CPU slots; default: CPUs that this process may use
  std::int64_t memory_bytes = 0;                  ///< memory that tasks share; default: what this host or cgroup has
  std::string listen = "127.0.0.1:0";             ///< UDP address for nudges; port 0 = any
  std::string advertise;                          ///< address that others nudge; default: the bound one
  std::string state_dir = "/var/lib/disttask";    ///< holds the instance UUID and its lock
  milliseconds lease = std::chrono::seconds(30);  ///< how long others wait before they take a silent node's work
  milliseconds drain_timeout =
      std::chrono::seconds(30);  ///< how long runs may end by themselves after SIGTERM, before the graceful stop
  milliseconds stop_timeout =
      std::chrono::seconds(30);        ///< how long a graceful stop waits for runs that may not be interrupted
  std::int32_t max_abnormal_ends = 3;  ///< ends of its node while a subtask ran alone, after which it fails
};

struct PoolSettings {
  std::int32_t max_connections = 4;
  milliseconds max_idle = std::chrono::seconds(30);
};

struct StoreSettings {
  std::vector<Endpoint> endpoints;  ///< tried in order
  std::string user = "disttask";
  PasswordSource password;
  std::string schema = "disttask";
  std::string side_schema;  ///< with schema mysql only: where our own tables are; empty with any other
  Tls tls;
  PoolSettings pool;
  milliseconds connect_timeout = std::chrono::seconds(5);
  milliseconds read_timeout = std::chrono::seconds(10);
};

struct PollingSettings {
  milliseconds task_interval{300};
  milliseconds subtask_interval{300};
  milliseconds max_interval{2000};
};

struct SchedulerSettings {
  bool enabled = true;
  std::int32_t max_tasks = 16;                 ///< tasks that run at once
  milliseconds history_after{600'000};         ///< so long after its end a task moves to history
  milliseconds history_keep{14 * 86'400'000};  ///< so long its subtasks stay there
};

struct PluginSettings {
  std::string dir;                     ///< default: where this build installs plugins
  std::vector<std::string> list;       ///< file names or paths; empty = every *.so of dir
  std::map<std::string, Json> config;  ///< task type → what its plugin gets at init
};

/// A server that plugins may use by this name.
struct ConnectionSettings {
  Endpoint endpoint;
  std::string user;
  PasswordSource password;
  Tls tls;
  std::int32_t max_connections = 4;
  std::vector<std::string> types;    ///< task types that may use it
  std::vector<std::string> schemas;  ///< schemas that they may write
  std::string ledger;  ///< SCHEMA.TABLE of csv_import's ledger; default: <first schema>.disttask_csv_ledger
};

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };
enum class LogFormat : std::uint8_t { kAuto, kText, kJson };

struct LogSettings {
  LogLevel level = LogLevel::kInfo;
  LogFormat format =
      LogFormat::kAuto;  ///< auto: text with the journal's priorities under systemd, else text with times
};

/// The pages for people and monitoring: /metrics, /livez, /readyz, /statusz. They only show, so loopback is enough.
struct HttpSettings {
  std::string listen = "127.0.0.1:7460";  ///< IP address and port; port 0 = any; empty = none
};

/// All that a daemon is told, checked and with defaults filled in. A value.
struct Settings {
  NodeSettings node;
  StoreSettings store;
  PollingSettings polling;
  SchedulerSettings scheduler;
  PluginSettings plugins;
  std::map<std::string, ConnectionSettings> connections;
  LogSettings log;
  HttpSettings http;
};

}  // namespace disttask::settings
