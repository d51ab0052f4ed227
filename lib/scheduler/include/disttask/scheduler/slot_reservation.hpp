#pragma once
#include "disttask/proto/ids.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace disttask::scheduler {

/// Says which tasks may begin new work, so that those of lower rank leave the slots to those of higher rank (contract
/// 5.5, with the slots of each node instead of one size for all). Asked in rank order, within one round. What is
/// reserved on all nodes is so by the tasks before only; on one node rows of any rank are in the way. Pure;
/// thread-compatible.
class SlotReservation {
 public:
  /// A live node with this many slots.
  void addNode(const proto::ExecId& exec_id, std::int32_t slots) { nodes_[exec_id].slots = slots; }
  /// A task, of whatever rank, has unfinished rows there. It counts once per node: a task has its slots once on each.
  void noteUse(const proto::ExecId& exec_id, proto::TaskId task, std::int32_t slots);
  /// Reserves `slots` for the task: on all of `nodes` when those of higher rank leave them that on each, so that it may
  /// spread; else on one, where the rows of other tasks, and those that may come of such
  /// without any, leave it that. False: on none.
  [[nodiscard]] bool admit(proto::TaskId task, std::int32_t slots, const std::vector<proto::ExecId>& nodes);
  /// Returns who has slots of the node, for those who are refused: tasks that have rows there, or are about to, and
  /// those of higher rank that may use it like all others.
  [[nodiscard]] std::map<proto::TaskId, std::int32_t> takersOf(const proto::ExecId& exec_id) const;

 private:
  struct NodeSlots {
    std::int32_t slots = 0;
    std::int64_t reserved = 0;  ///< by tasks that may use this node like all others; the sum of these
    std::map<proto::TaskId, std::int32_t> reservers;
    std::map<proto::TaskId, std::int32_t> users;  ///< tasks that have rows here, or are about to
  };
  std::map<proto::ExecId, NodeSlots> nodes_;
};

}  // namespace disttask::scheduler
