#pragma once
#include "system_cluster.hpp"

#include <map>
#include <string>

namespace disttask::test {

/// A live TiDB with its own scheduler and executor of the type Example, daemons of ours beside it in a scope of their
/// own, and side tables of their own, so that cases run side by side. Test's thread only.
class LiveTiDb {
 public:
  /// True when the server is one: DISTTASK_TEST_DXF_CONTROL names its control.
  [[nodiscard]] static bool isThere();

  LiveTiDb();
  LiveTiDb(const LiveTiDb&) = delete;
  LiveTiDb& operator=(const LiveTiDb&) = delete;
  /// Takes our nodes out of TiDB's register.
  ~LiveTiDb();

  /// Starts a daemon of ours in the case's scope and waits until it is ready. `number` tells them apart.
  NodeProcess startNode(int number, const std::string& more = {});
  [[nodiscard]] std::string idOf(int number) const;
  /// Submits through TiDB and returns the task's id; in our scope, or in that of TiDB's own node.
  [[nodiscard]] std::string submit(const std::string& key, const std::string& meta, bool ours = true) const;
  /// pause, resume or cancel, by TiDB.
  void ask(const std::string& what, const std::string& key) const;
  /// Waits until TiDB's scheduler has brought the task to a state.
  void awaitState(const std::string& task, const std::string& state) const;
  /// Returns one value of a query, as text.
  [[nodiscard]] std::string scalar(const std::string& sql) const { return cluster_.scalar(sql); }
  /// Counts subtasks of a task in a state, live or moved to history.
  [[nodiscard]] std::string count(const std::string& task, const std::string& state) const;
  /// Returns the task's and its subtasks' rows, of times only whether they are set. Left out are ids, names of
  /// nodes, the run token, and the summary: ours holds counters of zero where that of TiDB's executor is empty.
  [[nodiscard]] std::string rowsOf(const std::string& task) const;
  [[nodiscard]] std::string keyOf(const std::string& name) const { return cluster_.schema() + "-" + name; }
  [[nodiscard]] SystemCluster& cluster() noexcept { return cluster_; }

 private:
  [[nodiscard]] std::string get(const std::string& path, const std::map<std::string, std::string>& query) const;

  SystemCluster cluster_;
  std::string scope_;
  int base_port_ = 0;
};

}  // namespace disttask::test
