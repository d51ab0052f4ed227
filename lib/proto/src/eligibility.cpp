#include "disttask/proto/eligibility.hpp"

#include <algorithm>
#include <string_view>

namespace disttask::proto {

namespace {

constexpr std::string_view kBackground = "background";

bool isInScope(const Node& node, const TaskBase& task, bool has_background) {
  if (task.target_scope.empty() && has_background) return node.role == kBackground;
  return node.role == task.target_scope;
}

}  // namespace

bool hasBackgroundNode(const std::vector<Node>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const auto& node) {
    return node.has_meta_row && node.role == kBackground;
  });
}

Obstacle obstacleFor(const Node& node, const TaskBase& task, bool has_background) {
  if (node.life == Life()) return Obstacle::kNotAlive;
  if (!node.types.contains(task.type)) return Obstacle::kTypeNotOffered;
  if (!node.has_meta_row) return Obstacle::kScopeUnknown;
  if (!isInScope(node, task, has_background)) return Obstacle::kOutOfScope;
  if (node.slots < task.slots) return Obstacle::kTooFewSlots;
  return node.wanted == WantedState::kNormal ? Obstacle::kNone : Obstacle::kNotWanted;
}

std::string whyNoNode(const std::vector<Node>& nodes, const TaskBase& task) {
  const bool has_background = hasBackgroundNode(nodes);
  auto nearest = Obstacle::kNotAlive;
  for (const auto& node : nodes) nearest = std::max(nearest, obstacleFor(node, task, has_background));
  switch (nearest) {
    case Obstacle::kNotAlive:
      return "no node is alive";
    case Obstacle::kTypeNotOffered:
      return "no live node offers type '" + task.type + "'";
    case Obstacle::kScopeUnknown:
    case Obstacle::kOutOfScope:
      return "no live node that offers type '" + task.type + "' is in scope '" + task.target_scope + "'";
    case Obstacle::kTooFewSlots:
      return "no live node in scope has " + std::to_string(task.slots) + " slots";
    case Obstacle::kNotWanted:
    case Obstacle::kNone:
      break;
  }
  return "all live nodes that could run it are cordoned or draining";
}

}  // namespace disttask::proto
