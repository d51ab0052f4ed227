#pragma once
#include "disttask/base/json.hpp"
#include "disttask/sqlclient/connection.hpp"

#include "support/child_process.hpp"
#include "support/notify_socket.hpp"
#include "support/temp_dir.hpp"
#include "support/terminal_process.hpp"
#include "support/wait.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace disttask::test {

/// What a node is told beside the defaults of the test.
struct NodeOptions {
  std::string id = "node-1";
  std::string state_dir = {};  ///< empty: one of its own by its id
  std::string lease = "3s";
  std::string drain_timeout = "0s";
  int slots = 2;
  std::string failpoints = {};   ///< DISTTASK_FAILPOINTS
  std::string working_dir = {};  ///< empty: the test's
  std::string user = {};         ///< empty: the test's own; another one has no password
  std::string beside_tidb = {};  ///< a scope: the node serves the tables of a live TiDB, the cluster's schema is beside
  std::string watchdog_usec = {};  ///< WATCHDOG_USEC, as a service manager that watches sets it
  std::string more = {};           ///< further YAML at top level
};

/// A daemon under test.
struct NodeProcess {
  std::unique_ptr<NotifySocket> notify;
  std::unique_ptr<ChildProcess> process;
  [[nodiscard]] bool waitReady(std::chrono::nanoseconds limit = kSoon) const {
    return notify->waitFor("READY=1", limit);
  }
  /// Returns what its HTTP answers, such as /metrics.
  [[nodiscard]] std::string page(const std::string& path) const;
  /// Stops it gracefully; returns the exit code, -1 when it did not end.
  [[nodiscard]] int stop() const;
};

/// What a run of disttaskctl gave.
struct CtlResult {
  int exit_code = -1;
  std::string out;
  std::string err;
  [[nodiscard]] Json json() const { return Json::parse(out); }
};

/// A schema of its own, the programs, and a folder. The schema is dropped at the end, the daemons are killed. Test's
/// thread only.
class SystemCluster {
 public:
  /// Uses the server of DISTTASK_TEST_DSN, or, with a socket, that private one (root without password).
  explicit SystemCluster(const std::string& socket = "");
  SystemCluster(const SystemCluster&) = delete;
  SystemCluster& operator=(const SystemCluster&) = delete;
  ~SystemCluster();

  void installSchema();
  /// Makes the schema's database without any table.
  void makeDatabase() const;
  /// Writes a node's settings and returns the file.
  std::filesystem::path writeConfig(const NodeOptions& options) const;
  /// Starts a daemon; does not wait for it.
  NodeProcess start(const NodeOptions& options);
  /// Starts a daemon and waits until it is ready; fails the test when it does not get there.
  NodeProcess startReady(const NodeOptions& options);
  /// Runs disttaskctl on this store. It must end within `limit`.
  CtlResult ctl(const std::vector<std::string>& arguments, std::chrono::nanoseconds limit = std::chrono::seconds(100))
      const;
  /// Submits a task of type example; `more` are further arguments, such as --wait.
  CtlResult submit(const std::string& key, const std::string& meta, const std::vector<std::string>& more = {}) const;
  /// The same as ctl in the background.
  std::unique_ptr<ChildProcess> startCtl(const std::vector<std::string>& arguments) const;
  /// The same in a terminal, xterm by its name and without NO_COLOR; `environment` is set beside.
  std::unique_ptr<TerminalProcess> startInTerminal(
      const std::vector<std::string>& arguments,
      TerminalSize size = {},
      const std::map<std::string, std::string>& environment = {}
  ) const;
  /// Returns one value of a query on the schema, as text.
  [[nodiscard]] std::string scalar(const std::string& sql) const;
  /// Returns the first column of a query on the schema, as text.
  [[nodiscard]] std::vector<std::string> column(const std::string& sql) const;
  /// Runs a statement on the schema.
  void execute(const std::string& sql) const;
  /// Adds a running task, id 7, with one pending subtask on this node, as rows: no daemon has to be there.
  void addRunningTask(const std::string& exec_id) const;

  /// Opens a connection with the schema selected.
  [[nodiscard]] std::unique_ptr<sqlclient::Connection> connect() const;
  /// Returns how the server is reached, no schema selected.
  [[nodiscard]] sqlclient::ConnectSettings connectSettings() const;
  /// Returns the store as disttaskctl takes it, without a password.
  [[nodiscard]] std::string storeAddress() const;

  [[nodiscard]] const std::string& schema() const noexcept { return schema_; }
  [[nodiscard]] const TempDir& folder() const noexcept { return folder_; }
  /// Returns the lines of YAML that say where the server is, for a store or a connection, each after `indent`. `user`:
  /// another one than the test's own, without a password.
  [[nodiscard]] std::string serverYaml(const std::string& indent, const std::string& key, const std::string& user = {})
      const;

 private:
  [[nodiscard]] std::map<std::string, std::string> ctlEnvironment() const;

  TempDir folder_;
  const std::string socket_;
  std::string schema_;
  int num_started_ = 0;
};

/// Runs a program to its end and returns what it gave.
[[nodiscard]] CtlResult runProgram(
    const std::vector<std::string>& arguments,
    const std::map<std::string, std::string>& environment = {},
    std::chrono::nanoseconds limit = std::chrono::seconds(60)
);

}  // namespace disttask::test
