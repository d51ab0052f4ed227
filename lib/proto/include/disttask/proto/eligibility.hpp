#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/proto/task.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace disttask::proto {

/// The first thing that keeps a node from getting subtasks of a task, in the order in which it is looked for (design
/// rule 6, contract 3.8): the later one is, the nearer the node came.
enum class Obstacle : std::uint8_t {
  kNotAlive,
  kTypeNotOffered,
  kScopeUnknown,  ///< its row of dist_framework_meta is missing; the node puts it back within one poll
  kOutOfScope,
  kTooFewSlots,
  kNotWanted,  ///< cordoned or draining
  kNone,       ///< it may get subtasks
};

/// Returns whether any node registered the role `background`: then these are the nodes of the empty target scope.
[[nodiscard]] bool hasBackgroundNode(const std::vector<Node>& nodes);

/// Says whether the node may get subtasks of the task, and if not, why. `has_background` is hasBackgroundNode of all
/// known nodes. The task's max_nodes is for the caller, who sees all nodes. Pure.
[[nodiscard]] Obstacle obstacleFor(const Node& node, const TaskBase& task, bool has_background);

/// Says in words why none of the nodes, of which none is free of obstacles, gets subtasks of the task.
[[nodiscard]] std::string whyNoNode(const std::vector<Node>& nodes, const TaskBase& task);

}  // namespace disttask::proto
