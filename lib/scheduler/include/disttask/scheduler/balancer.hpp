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
  std::int64_t weight = 1;  ///< its slots: twice as many take twice as many subtasks
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

/// Says which pending subtasks go to which node, so that no node is fuller, by its weight, than it need be: rows move
/// one by one from the fullest node that has pending ones to the one that they fill least, while that leaves it less
/// full; and a node without any gets one while another has some that wait. With equal weights the nodes then differ by
/// at most one row, as far as pending rows allow it (running ones stay), and no other way needs fewer moves. At most
/// `max_moves` rows. Pure; the result is in the order of the givers and receivers.
[[nodiscard]] std::vector<Transfer> planBalance(std::vector<NodeLoad> nodes, std::int64_t max_moves);

/// Places `count` subtasks on nodes, each on the one that it fills least by then; returns one exec id per subtask,
/// empty without nodes. Pure.
[[nodiscard]] std::vector<proto::ExecId> spread(std::vector<NodeLoad> nodes, std::size_t count);

/// Returns how many rows the fullest node has above its share by weight, rounded up; 0 when all have theirs. Pure.
[[nodiscard]] std::int64_t skewOf(const std::vector<NodeLoad>& nodes);

}  // namespace disttask::scheduler
