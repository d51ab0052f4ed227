#include "disttask/planning/spread.hpp"

#include "disttask/proto/eligibility.hpp"

#include <algorithm>
#include <numeric>

namespace disttask::planning {

namespace {

constexpr std::int32_t kLargestTurn = 4096;

}  // namespace

std::vector<proto::Node> eligibleNodes(std::vector<proto::Node> nodes, const proto::TaskBase& task) {
  const bool has_background = proto::hasBackgroundNode(nodes);
  std::erase_if(nodes, [&](const auto& node) {
    return proto::obstacleFor(node, task, has_background) != proto::Obstacle::kNone;
  });
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.exec_id < b.exec_id; });
  if (task.max_nodes > 0 && nodes.size() > static_cast<std::size_t>(task.max_nodes)) {
    nodes.resize(static_cast<std::size_t>(task.max_nodes));
  }
  return nodes;
}

std::vector<proto::ExecId> plannerNodes(
    const std::vector<proto::Node>& nodes, const proto::TaskBase& task, bool any_scope
) {
  auto unlimited = task;
  unlimited.max_nodes = 0;
  std::vector<proto::ExecId> planners;
  for (const auto& node : eligibleNodes(nodes, unlimited)) planners.push_back(node.exec_id);
  if (!any_scope) return planners;
  for (const auto& node : nodes) {
    const bool can = node.life.value() != 0 && node.types.contains(task.type);
    if (can && std::find(planners.begin(), planners.end(), node.exec_id) == planners.end()) {
      planners.push_back(node.exec_id);
    }
  }
  return planners;
}

Spread::Spread(const std::vector<proto::Node>& nodes) {
  const auto weightOf = [](const proto::Node& node) { return std::int64_t{std::max(1, node.slots)}; };
  std::int64_t divisor = 0;
  std::int64_t total = 0;
  for (const auto& node : nodes) {
    divisor = std::gcd(divisor, weightOf(node));
    total += weightOf(node);
  }
  // Smooth weighted turns: each time the node that is furthest behind its share. The turn repeats when all have had
  // theirs.
  const auto length = std::min<std::int64_t>(total / std::max<std::int64_t>(divisor, 1), kLargestTurn);
  std::vector<std::int64_t> credit(nodes.size(), 0);
  for (std::int64_t i = 0; i < length; ++i) {
    std::size_t best = 0;
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      credit[n] += weightOf(nodes[n]);
      if (credit[n] > credit[best]) best = n;
    }
    credit[best] -= total;
    turn_.push_back(nodes[best].exec_id);
  }
}

const proto::ExecId& Spread::nodeOf(std::int32_t ordinal) const {
  return turn_[static_cast<std::size_t>(std::max(0, ordinal - 1)) % turn_.size()];
}

}  // namespace disttask::planning
