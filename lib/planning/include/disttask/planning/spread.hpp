#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/proto/task.hpp"

#include <cstdint>
#include <vector>

namespace disttask::planning {

/// Returns the nodes that may get subtasks of the task, by exec id (design rule 6, contract 3.8): live, wanted normal,
/// offering the type, in the task's scope, with enough slots; at most the task's max_nodes, the first ones. Pure.
[[nodiscard]] std::vector<proto::Node> eligibleNodes(std::vector<proto::Node> nodes, const proto::TaskBase& task);

/// Returns the nodes that may plan the task, best first: those that may get subtasks of it, whatever its max_nodes;
/// with `any_scope` (a revert, which has none) also all others that are live and offer the type, after them. Pure.
[[nodiscard]] std::vector<proto::ExecId> plannerNodes(
    const std::vector<proto::Node>& nodes, const proto::TaskBase& task, bool any_scope
);

/// Gives subtasks to nodes in turn, each as often as its slots weigh, evenly mixed: two nodes of 4 and 2 slots get A B
/// A A B A … The place in the turn follows from the ordinal, so batches of one step go on where the last one ended.
/// Thread-compatible.
class Spread {
 public:
  /// `nodes` must not be empty.
  explicit Spread(const std::vector<proto::Node>& nodes);
  /// Returns the node of the subtask with this ordinal (1, 2, 3 …).
  [[nodiscard]] const proto::ExecId& nodeOf(std::int32_t ordinal) const;

 private:
  std::vector<proto::ExecId> turn_;
};

}  // namespace disttask::planning
