#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/runtime/clock.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace disttask::storage {

using proto::ExecId;
using proto::Life;
using runtime::Call;

/// What an operator asks of a node.
struct NodeWish {
  proto::WantedState wanted = proto::WantedState::kNormal;
  std::optional<std::chrono::seconds>
      limit;            ///< draining only: so long from now on runs may go on, then they are given back
  std::string message;  ///< why, for people; at most 1024 characters
};

/// The side table of nodes (design rules 1-5). Same threading and failure contract as TaskTable. Every write compares
/// the life.
class NodeTable {
 public:
  virtual ~NodeTable() = default;

  virtual std::optional<proto::Node> getNode(const Call& call, const ExecId& exec_id) = 0;
  /// Returns all nodes that have a side row, by exec id, joined with their row of dist_framework_meta.
  virtual std::vector<proto::Node> getAllNodes(const Call& call) = 0;
  /// Makes the row of a new id, or takes the row over: writes all of `node` (epoch + 1, renewals 0, new life) where the
  /// row's life is still `expected` (nothing: there is no row). False: somebody else was faster, read again. Also
  /// writes dist_framework_meta (role, cpu_count), and ends the drain that drainForStop made.
  virtual bool registerNode(const Call& call, const proto::Node& node, const std::optional<Life>& expected) = 0;
  /// Renews the lease: renewals + 1 where the life is ours; also writes lease_ms, address, reasons, modifications.
  /// False: evicted, or the row is gone.
  virtual bool renew(const Call& call, const proto::Node& node) = 0;
  /// Writes what a life says of itself anew, where it is ours: types, and role and cpu_count of dist_framework_meta.
  /// False: evicted, or the row is gone.
  virtual bool describe(const Call& call, const proto::Node& node) = 0;
  /// Ends a life by its own process: life = 0. False: it was not ours any more.
  virtual bool release(const Call& call, const ExecId& exec_id, Life life) = 0;
  /// Evicts: life = 0 where life and renewals are as observed (design rule 3). False: it moved.
  virtual bool evict(const Call& call, const ExecId& exec_id, Life life, std::int64_t renewals) = 0;
  /// Writes what an operator wants of a node, whoever lives there: it outlives the process (design rules 1, 24). The
  /// last wish counts. False: there is no such node. Throws kInvalidArgument for a message that is too long, no UTF-8
  /// or kStopDrainMessage, a limit below zero, or one without draining.
  virtual bool setWish(const Call& call, const ExecId& exec_id, const NodeWish& wish) = 0;
  /// Drains a node whose process is being stopped, for at most `limit`, until its next registration; where an operator
  /// wants something of it, that stays. True: the row says so now, also when it did before. False: it does not, since
  /// of an operator's wish, or the life is over.
  virtual bool drainForStop(const Call& call, const ExecId& exec_id, Life life, std::chrono::seconds limit) = 0;
  /// Deletes an evicted node's rows; refused (kPrecondition) while subtask rows of it remain.
  virtual bool forget(const Call& call, const ExecId& exec_id, Life life) = 0;
};

}  // namespace disttask::storage
