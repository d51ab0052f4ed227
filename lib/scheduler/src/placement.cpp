#include "disttask/scheduler/placement.hpp"

#include "disttask/proto/eligibility.hpp"

#include <algorithm>
#include <functional>
#include <tuple>

namespace disttask::scheduler {

namespace {

bool isAlive(const proto::Node& node) {
  return node.life != proto::Life();
}

std::size_t fingerprintOf(const std::vector<proto::Node>& nodes) {
  std::string text;
  for (const auto& node : nodes) {
    text += node.exec_id + '\n' + std::to_string(node.life.value()) + ' ' + std::to_string(node.slots) + ' ';
    text += node.role + (node.has_meta_row ? " +" : " -") + std::string(toString(node.wanted));
    for (const auto& [type, version] : node.types) text += '\n' + type;
    text += '\f';
  }
  return std::hash<std::string>()(text);
}

}  // namespace

std::string_view toString(Fitness fitness) noexcept {
  switch (fitness) {
    case Fitness::kFits:
      return "fits";
    case Fitness::kKeeps:
      return "keeps";
    case Fitness::kLeaves:
      return "leaves";
  }
  return "unknown";
}

Placement::Placement(std::vector<proto::Node> nodes, std::set<proto::ExecId> silent)
    : nodes_(std::move(nodes)), silent_(std::move(silent)) {
  std::sort(nodes_.begin(), nodes_.end(), [](const auto& a, const auto& b) { return a.exec_id < b.exec_id; });
  has_background_ = proto::hasBackgroundNode(nodes_);
  fingerprint_ = fingerprintOf(nodes_);
}

const proto::Node* Placement::find(const proto::ExecId& exec_id) const {
  const auto node = std::lower_bound(nodes_.begin(), nodes_.end(), exec_id, [](const auto& a, const auto& id) {
    return a.exec_id < id;
  });
  return node != nodes_.end() && node->exec_id == exec_id ? &*node : nullptr;
}

Fitness Placement::fitnessOf(const proto::ExecId& exec_id, const proto::TaskBase& task) const {
  const auto* node = find(exec_id);
  if (node == nullptr || node->wanted == proto::WantedState::kDraining) return Fitness::kLeaves;
  switch (obstacleFor(*node, task, has_background_)) {
    case proto::Obstacle::kNone:
      return Fitness::kFits;
    case proto::Obstacle::kScopeUnknown:
    case proto::Obstacle::kNotWanted:
      return Fitness::kKeeps;
    case proto::Obstacle::kNotAlive:
    case proto::Obstacle::kTypeNotOffered:
    case proto::Obstacle::kOutOfScope:
    case proto::Obstacle::kTooFewSlots:
      break;
  }
  return Fitness::kLeaves;
}

std::vector<proto::ExecId> Placement::eligible(const proto::TaskBase& task, const std::vector<proto::ExecId>& holders)
    const {
  std::vector<proto::ExecId> fitting;
  for (const auto& node : nodes_) {
    if (fitnessOf(node.exec_id, task) == Fitness::kFits) fitting.push_back(node.exec_id);
  }
  if (task.max_nodes <= 0 || fitting.size() <= static_cast<std::size_t>(task.max_nodes)) return fitting;
  const auto placeOf = [&](const auto& id) { return std::find(holders.begin(), holders.end(), id); };
  std::stable_sort(fitting.begin(), fitting.end(), [&](const auto& a, const auto& b) {
    return placeOf(a) < placeOf(b);
  });
  fitting.resize(static_cast<std::size_t>(task.max_nodes));
  std::sort(fitting.begin(), fitting.end());
  return fitting;
}

bool Placement::canPlan(const proto::ExecId& exec_id, const proto::TaskBase& task) const {
  const auto* node = find(exec_id);
  return node != nullptr && isAlive(*node) && node->types.contains(task.type);
}

bool Placement::isDraining(const proto::ExecId& exec_id) const {
  const auto* node = find(exec_id);
  return node != nullptr && node->wanted == proto::WantedState::kDraining;
}

std::optional<proto::ExecId> Placement::choosePlanner(
    const proto::TaskBase& task, const std::map<proto::ExecId, int>& open_plans, bool any_scope
) const {
  const proto::Node* best = nullptr;
  // Whoever fits comes before all who do not, among them those that renew, among them those with few open plans.
  std::tuple<bool, bool, int> best_rank;
  for (const auto& node : nodes_) {
    const bool fits = fitnessOf(node.exec_id, task) == Fitness::kFits;
    if (!fits && !(any_scope && canPlan(node.exec_id, task))) continue;
    const auto open = open_plans.find(node.exec_id);
    const std::tuple rank(!fits, silent_.contains(node.exec_id), open == open_plans.end() ? 0 : open->second);
    if (best != nullptr && rank >= best_rank) continue;
    best = &node;
    best_rank = rank;
  }
  if (best == nullptr) return std::nullopt;
  return best->exec_id;
}

std::string Placement::whyNone(const proto::TaskBase& task) const {
  return whyNoNode(nodes_, task);
}

}  // namespace disttask::scheduler
