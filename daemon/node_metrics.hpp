#pragma once
#include "disttask/executor/node_services.hpp"
#include "disttask/observability/metrics.hpp"
#include "disttask/settings/settings.hpp"
#include "node_report.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <string>

namespace disttask::app {

/// Counts of other parts, as a scrape finds them.
struct NodeCounts {
  const executor::ExecutorCounters* executor = nullptr;  ///< null until the parts are built
  std::uint64_t lease_rounds = 0;
  std::uint64_t scheduler_rounds = 0;
  std::int64_t history_moved = 0;
};

/// All metrics of a daemon (docs/metrics.md lists them): at most 40 names; labels have fixed values, so a node never
/// has more series than task types times buckets; no task ids. Any thread.
class NodeMetrics {
 public:
  NodeMetrics(const std::string& version, const std::string& scheduler);
  /// Returns who schedules where this node works, as the label of disttask_build_info says it: `on` (this node may hold
  /// the role), `off` (others do), `tidb` (a live TiDB does, there is no role).
  [[nodiscard]] static std::string schedulerOf(const settings::Settings& settings);

  // Told when it happens.
  void polled(runtime::Duration took, bool answered) noexcept;
  void returned(const std::string& type, runtime::Duration took) noexcept;
  void reloaded(bool applied) noexcept;
  void storeConnected() noexcept;
  void storeFailed(const Error& error) noexcept;
  /// Makes the series of a task type.
  void addType(const std::string& type);

  /// Brings the rest up to date and returns the text of all.
  [[nodiscard]] std::string page(const NodeReport& report, const NodeCounts& counts);

 private:
  void update(const NodeReport& report, const NodeCounts& counts);
  void updateProcess();
  [[nodiscard]] observability::Gauge gauge(const std::string& name, const std::string& help);
  [[nodiscard]] observability::Counter counter(const std::string& name, const std::string& help);

  observability::Metrics metrics_;
  std::mutex page_mutex_;                                   // one page at a time: counters follow others
  std::map<std::string, observability::Gauge> gauges_;      // by name; constant after construction
  std::map<std::string, observability::Counter> counters_;  // by name, or name and label; the same
  std::map<proto::WantedState, observability::Gauge> wanted_;
  std::map<ErrorCode, observability::Counter> store_errors_;
  observability::Histogram poll_seconds_;
  std::mutex types_mutex_;
  std::map<std::string, observability::Histogram> run_seconds_;  // guarded by types_mutex_
};

}  // namespace disttask::app
