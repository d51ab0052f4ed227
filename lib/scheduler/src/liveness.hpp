#pragma once
#include "disttask/observability/sampled_log.hpp"
#include "disttask/scheduler/node_observer.hpp"
#include "disttask/scheduler/placement.hpp"
#include "disttask/storage/node_table.hpp"
#include "disttask/storage/scheduler_table.hpp"
#include "round.hpp"

#include <functional>
#include <map>

namespace disttask::scheduler {

/// Watches the leases of all nodes, evicts dead ones and takes their running rows back (design rules 3, 11). Used by
/// one round at a time.
class Liveness {
 public:
  Liveness(storage::NodeTable& nodes, storage::SchedulerTable& table, runtime::Clock& clock, runtime::Duration lease);

  /// A write of this process was confirmed: time counts.
  void confirmWrite(runtime::TimePoint at) { observer_.confirmWrite(at); }
  /// Reads and observes all nodes. The owner also evicts those whose lease has run out; a follower only keeps its
  /// observations going, so that it can act at once when it takes the role. A node that cannot be evicted, as while
  /// somebody holds its row, is tried again later. Returns the nodes as they are then. Store failures pass through.
  Placement look(const runtime::Call& call, bool is_owner);
  /// Takes the running rows of evicted and stopped nodes, and of those that are no nodes, out of `running`: also those
  /// of an eviction that a former owner left half done. Tells the round who is no node. A node whose rows cannot be
  /// taken, as while somebody holds one of them, is tried again later. `renew` keeps the role before each node; it ends
  /// where that says no. Returns how many.
  std::int64_t releaseRows(Round& round, const std::function<bool()>& renew);

 private:
  /// Returns the nodes that have not renewed for half their lease: renewals come every third.
  [[nodiscard]] std::set<proto::ExecId> findSilent(const std::vector<LeaseReading>& readings, runtime::TimePoint began)
      const;

  /// Whose rows cannot be changed, and until when nobody tries.
  using RestingNodes = std::map<proto::ExecId, runtime::TimePoint>;

  bool evict(const runtime::Call& call, const LeaseReading& dead);
  void lookForStrays(Round& round);
  std::int64_t releaseRowsOf(Round& round, const proto::ExecId& exec_id);
  [[nodiscard]] static bool isResting(
      const RestingNodes& resting, const proto::ExecId& exec_id, runtime::TimePoint now
  );
  /// A try that began then has failed.
  void rest(RestingNodes& resting, const proto::ExecId& exec_id, runtime::TimePoint began) const;
  void logFailure(std::string_view what, const proto::ExecId& exec_id, const Error& error);

  storage::NodeTable& nodes_;
  storage::SchedulerTable& table_;
  runtime::Clock& clock_;
  NodeObserver observer_;
  std::vector<proto::ExecId> strays_;  ///< hold rows and are no nodes
  std::optional<runtime::TimePoint> strays_seen_;
  RestingNodes resting_;            ///< whose subtasks could not be taken
  RestingNodes resting_evictions_;  ///< whose own row could not be written
  observability::SampledLog failures_{std::chrono::seconds(30)};
};

}  // namespace disttask::scheduler
