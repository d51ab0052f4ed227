#include "disttask/planning/spread.hpp"

#include <algorithm>
#include <numeric>

namespace disttask::planning {

namespace {

constexpr const char* kBackground = "background";
constexpr std::int32_t kLargestTurn = 4096;

/// An empty target scope means the background nodes where there are any (contract 3.8).
bool inScope(const proto::Node& node, const proto::TaskBase& task, bool has_background) {
  const std::string scope = task.target_scope.empty() && has_background ? kBackground : task.target_scope;
  return node.has_meta_row && node.role == scope;
}

bool hasBackground(const std::vector<proto::Node>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const auto& node) {
    return node.has_meta_row && node.role == kBackground;
  });
}

}  // namespace

std::vector<proto::Node> eligibleNodes(std::vector<proto::Node> nodes, const proto::TaskBase& task) {
  const bool background = hasBackground(nodes);
  std::erase_if(nodes, [&](const auto& node) {
    return node.life.value() == 0 || node.wanted != proto::WantedState::kNormal || !node.types.contains(task.type) ||
           !inScope(node, task, background) || node.slots < task.slots;
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

std::string whyNoNode(const std::vector<proto::Node>& nodes, const proto::TaskBase& task) {
  auto left = nodes;
  const bool background = hasBackground(nodes);
  const auto none_after = [&](auto&& unfit) {
    std::erase_if(left, unfit);
    return left.empty();
  };
  if (none_after([](const auto& node) { return node.life.value() == 0; })) return "no node is alive";
  if (none_after([&](const auto& node) { return !node.types.contains(task.type); })) {
    return "no live node offers type '" + task.type + "'";
  }
  if (none_after([&](const auto& node) { return !inScope(node, task, background); })) {
    return "no live node that offers type '" + task.type + "' is in scope '" + task.target_scope + "'";
  }
  if (none_after([&](const auto& node) { return node.slots < task.slots; })) {
    return "the task wants " + std::to_string(task.slots) + " slots and no node has as many";
  }
  return "the nodes that fit are cordoned or draining";
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
