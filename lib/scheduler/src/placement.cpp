#include "disttask/scheduler/placement.hpp"

#include <algorithm>
#include <functional>
#include <limits>

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

Placement::Placement(std::vector<proto::Node> nodes) : nodes_(std::move(nodes)) {
  std::sort(nodes_.begin(), nodes_.end(), [](const auto& a, const auto& b) { return a.exec_id < b.exec_id; });
  has_background_ =
      std::any_of(nodes_.begin(), nodes_.end(), [](const auto& node) { return node.role == "background"; });
  fingerprint_ = fingerprintOf(nodes_);
}

const proto::Node* Placement::find(const proto::ExecId& exec_id) const {
  const auto node = std::lower_bound(nodes_.begin(), nodes_.end(), exec_id, [](const auto& a, const auto& id) {
    return a.exec_id < id;
  });
  return node != nodes_.end() && node->exec_id == exec_id ? &*node : nullptr;
}

bool Placement::inScope(const proto::Node& node, const proto::TaskBase& task) const {
  // Contract 3.8: the empty scope means the nodes of role `background` when there are any.
  if (task.target_scope.empty() && has_background_) return node.role == "background";
  return node.role == task.target_scope;
}

Fitness Placement::fitnessOf(const proto::ExecId& exec_id, const proto::TaskBase& task) const {
  const auto* node = find(exec_id);
  if (node == nullptr || !isAlive(*node) || node->wanted == proto::WantedState::kDraining) return Fitness::kLeaves;
  if (!node->types.contains(task.type)) return Fitness::kLeaves;
  // The node puts a missing row back within one poll; until then its scope and slots are not known.
  if (!node->has_meta_row) return Fitness::kKeeps;
  if (!inScope(*node, task) || node->slots < task.slots) return Fitness::kLeaves;
  return node->wanted == proto::WantedState::kCordoned ? Fitness::kKeeps : Fitness::kFits;
}

std::vector<proto::ExecId> Placement::eligible(const proto::TaskBase& task, const std::vector<proto::ExecId>& holders)
    const {
  std::vector<proto::ExecId> fitting;
  for (const auto& node : nodes_) {
    if (fitnessOf(node.exec_id, task) == Fitness::kFits) fitting.push_back(node.exec_id);
  }
  if (task.max_nodes <= 0 || fitting.size() <= static_cast<std::size_t>(task.max_nodes)) return fitting;
  std::stable_partition(fitting.begin(), fitting.end(), [&](const auto& id) {
    return std::find(holders.begin(), holders.end(), id) != holders.end();
  });
  fitting.resize(static_cast<std::size_t>(task.max_nodes));
  std::sort(fitting.begin(), fitting.end());
  return fitting;
}

bool Placement::canPlan(const proto::ExecId& exec_id, const proto::TaskBase& task) const {
  const auto* node = find(exec_id);
  return node != nullptr && isAlive(*node) && node->types.contains(task.type);
}

std::optional<proto::ExecId> Placement::choosePlanner(
    const proto::TaskBase& task, const std::map<proto::ExecId, int>& open_plans, bool any_scope
) const {
  const proto::Node* best = nullptr;
  int best_rank = std::numeric_limits<int>::max();
  for (const auto& node : nodes_) {
    const bool fits = fitnessOf(node.exec_id, task) == Fitness::kFits;
    if (!fits && !(any_scope && canPlan(node.exec_id, task))) continue;
    const auto open = open_plans.find(node.exec_id);
    // Whoever fits comes before all who do not.
    const int rank = (open == open_plans.end() ? 0 : open->second) + (fits ? 0 : 1'000'000);
    if (rank >= best_rank) continue;
    best = &node;
    best_rank = rank;
  }
  if (best == nullptr) return std::nullopt;
  return best->exec_id;
}

std::string Placement::whyNone(const proto::TaskBase& task) const {
  std::size_t alive = 0;
  std::size_t offering = 0;
  std::size_t in_scope = 0;
  std::size_t large = 0;
  for (const auto& node : nodes_) {
    if (!isAlive(node)) continue;
    ++alive;
    if (!node.types.contains(task.type)) continue;
    ++offering;
    if (!node.has_meta_row || !inScope(node, task)) continue;
    ++in_scope;
    if (node.slots >= task.slots) ++large;
  }
  if (alive == 0) return "no node is alive";
  if (offering == 0) return "no live node offers type '" + task.type + "'";
  if (in_scope == 0) return "no live node that offers type '" + task.type + "' is in scope '" + task.target_scope + "'";
  if (large == 0) return "no live node in scope has " + std::to_string(task.slots) + " slots";
  return "all live nodes that could run it are cordoned or draining";
}

}  // namespace disttask::scheduler
