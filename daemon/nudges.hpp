#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/runtime/pool.hpp"
#include "disttask/storage/node_table.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::app {

/// Sends and takes the hints of design rule 21: one datagram with the token of the target's present life. "nudge:TOKEN"
/// wakes all parts of a node, "owner:TOKEN" only its scheduler role: nodes whose queues run dry send many of these, and
/// the executor of the node that has the role need not look at all its tasks for each; the owner sends them to
/// followers when it has renewed its lease. A hint that is lost costs a poll interval, so failures are not even logged.
/// Addresses are read from the store on the pool and kept for two seconds. Any thread.
class Nudges {
 public:
  Nudges(storage::NodeTable& nodes, storage::SchedulerTable& scheduler, runtime::Clock& clock, runtime::Pool& pool);

  /// Wakes these nodes soon. Returns at once.
  void wakeNodes(const std::vector<proto::ExecId>& nodes) noexcept;
  /// Lets the scheduler roles of these nodes, as the store showed them, look at who holds the role. Asks the store
  /// nothing.
  static void wakeSchedulers(const std::vector<proto::Node>& nodes) noexcept;
  /// Wakes all live nodes soon: new subtasks are spread over them. Returns at once.
  void wakeAllNodes() noexcept;
  /// The same before it returns, after at most two seconds: for a stop, when jobs may not run any more.
  void wakeAllNodesNow() noexcept;
  /// Wakes the owner of the scheduler role soon. Returns at once.
  void wakeOwner() noexcept;

  /// What a datagram lets a node do: nothing; a round of its scheduler role as the owner; a look at who holds the role;
  /// or a poll for all its parts and that round.
  enum class Wakes { kNothing, kOwner, kLook, kAll };
  /// Reads a datagram that came to a node whose present token is `token`; one with another token wakes nothing.
  [[nodiscard]] static Wakes read(std::string_view text, std::int64_t token, bool is_owner);
  /// Return the datagram that wakes all of the node with this token, or its scheduler role.
  [[nodiscard]] static std::string textOf(std::int64_t token);
  [[nodiscard]] static std::string ownerTextOf(std::int64_t token);

 private:
  /// Nothing: to all.
  void sendToNodes(const std::optional<std::vector<proto::ExecId>>& nodes);
  void sendToOwner();

  storage::NodeTable& nodes_;
  storage::SchedulerTable& scheduler_;
  runtime::Clock& clock_;
  runtime::Pool& pool_;
  std::mutex mutex_;
  std::map<proto::ExecId, proto::Node> known_;  // guarded by mutex_
  runtime::TimePoint known_at_{};               // guarded by mutex_
  bool owner_asked_ = false;                    // guarded by mutex_: a job for the owner is on its way
};

}  // namespace disttask::app
