#pragma once
#include "disttask/base/json.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "system_cluster.hpp"

#include "support/temp_dir.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace disttask::test {

/// A TiDB of its own, with its framework, that a test may stop and start again. Test's thread only.
class OwnTiDb {
 public:
  /// `script`: what starts servers (DISTTASK_TEST_SERVER).
  explicit OwnTiDb(std::string script);
  OwnTiDb(const OwnTiDb&) = delete;
  OwnTiDb& operator=(const OwnTiDb&) = delete;
  ~OwnTiDb();
  void start() const;
  void stop() const;
  [[nodiscard]] std::string socket() const { return path() + "/s.sock"; }
  /// Returns the address of its control; another one after each start.
  [[nodiscard]] std::string control() const;

 private:
  [[nodiscard]] std::string path() const { return (folder_ / "db").string(); }
  TempDir folder_;
  const std::string script_;
};

/// How a task is submitted by TiDB.
struct LiveTask {
  std::string meta;
  bool ours = true;  ///< in our scope; false: in that of TiDB's own node
  std::string type = "Example";
};

/// A live TiDB with its own scheduler and executor of the type Example, daemons of ours beside it in a scope of their
/// own, and side tables of their own. Test's thread only.
class LiveTiDb {
 public:
  /// True when the server is one: DISTTASK_TEST_DXF_CONTROL names its control.
  [[nodiscard]] static bool isThere();

  LiveTiDb();
  /// On a TiDB of its own instead.
  explicit LiveTiDb(const OwnTiDb& own);
  LiveTiDb(const LiveTiDb&) = delete;
  LiveTiDb& operator=(const LiveTiDb&) = delete;
  /// Takes our nodes out of TiDB's register, and ends what they left.
  ~LiveTiDb();

  /// Starts a daemon of ours in the case's scope and waits until it is ready. `number` tells them apart.
  NodeProcess startNode(int number, const std::string& more = {});
  /// The same as another account of the server, which has no password.
  NodeProcess startNodeAs(int number, const std::string& user);
  /// Starts it again, and goes on when it is ready or has ended.
  [[nodiscard]] std::string idOf(int number) const;
  /// Runs disttaskctl with the settings of a node; exit code and output.
  [[nodiscard]] CtlResult ctl(const std::vector<std::string>& words) const;
  /// Runs it with an address alone, as another account and with --schema mysql.
  [[nodiscard]] CtlResult ctlAs(const std::string& user, std::vector<std::string> words) const;
  /// Submits through TiDB and returns the task's id.
  [[nodiscard]] std::string submit(const std::string& key, const LiveTask& task) const;
  /// pause, resume or cancel, by TiDB.
  void ask(const std::string& what, const std::string& key) const;
  /// Waits until TiDB's scheduler has brought the task to a state.
  void awaitState(const std::string& task, const std::string& state) const;
  /// Waits until some of the task's subtasks are in a state.
  void awaitSubtask(const std::string& task, const std::string& state) const;
  /// Returns one value of a query, as text.
  [[nodiscard]] std::string scalar(const std::string& sql) const { return cluster_.scalar(sql); }
  void execute(const std::string& sql) const { cluster_.execute(sql); }
  /// Counts subtasks of a task in a state, live or moved to history.
  [[nodiscard]] std::string count(const std::string& task, const std::string& state) const;
  /// Returns how many of our nodes, or of others, are in rows of the task.
  [[nodiscard]] std::string countNodes(const std::string& task, bool ours) const;
  /// True when the register has a row of this node of ours.
  [[nodiscard]] bool isRegistered(int number) const;
  /// Returns the task's and its subtasks' rows, every column that the server's tables have, of times only whether they
  /// are set. Left out are what names the row (id, key, node) and the run token.
  [[nodiscard]] std::string rowsOf(const std::string& task) const;
  [[nodiscard]] std::string keyOf(const std::string& name) const { return cluster_.schema() + "-" + name; }
  [[nodiscard]] const std::string& scope() const noexcept { return scope_; }
  [[nodiscard]] SystemCluster& cluster() noexcept { return cluster_; }

 private:
  LiveTiDb(const std::string& socket, std::function<std::string()> control);
  [[nodiscard]] NodeOptions optionsOf(int number, const std::string& more) const;
  [[nodiscard]] std::string get(const std::string& path, const std::map<std::string, std::string>& query) const;
  [[nodiscard]] std::string linesOf(
      const std::string& table, const std::string& where, const std::string& order, const std::string& unlike
  ) const;

  SystemCluster cluster_;
  const std::function<std::string()> control_;
  std::string scope_;
  int base_port_ = 0;
};

}  // namespace disttask::test
