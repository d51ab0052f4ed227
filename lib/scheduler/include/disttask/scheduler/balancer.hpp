#pragma once
#include "disttask/proto/ids.hpp"

#include <cstdint>
#include <vector>

namespace disttask::scheduler {

/// What one node has of a task.
struct NodeLoad {
  proto::ExecId exec_id;
  std::int64_t pending = 0;
  std::int64_t running = 0;
  bool may_receive = true;  ///< false: gets nothing more, but may give (it has handed subtasks of this task back)
  [[nodiscard]] std::int64_t total() const noexcept { return pending + running; }
};

/// So many pending subtasks from one node to another.
struct Transfer {
  proto::ExecId from;
  proto::ExecId to;
  std::int64_t count = 0;
  friend bool operator==(const Transfer&, const Transfer&) = default;
};

/// Says which pending subtasks go to nodes that have nothing of the task left, so that these end up with about as much
/// as those who give: rows move one by one from who has most to the idle node that got least, while that leaves the
/// giver with no less than the receiver. Nodes that have anything left get nothing. At most `max_moves` rows. Pure; the
/// result is in the order of the givers and receivers.
[[nodiscard]] std::vector<Transfer> planBalance(std::vector<NodeLoad> nodes, std::int64_t max_moves);

/// Places `count` subtasks on nodes, each on the one that has least by then; returns one exec id per subtask, empty
/// without nodes. Pure.
[[nodiscard]] std::vector<proto::ExecId> spread(std::vector<NodeLoad> nodes, std::size_t count);

}  // namespace disttask::scheduler
