#include "disttask/scheduler/slot_reservation.hpp"

#include <algorithm>

namespace disttask::scheduler {

void SlotReservation::noteUse(const proto::ExecId& exec_id, proto::TaskId task, std::int32_t slots) {
  const auto node = nodes_.find(exec_id);
  if (node != nodes_.end()) node->second.users[task] = slots;
}

bool SlotReservation::admit(proto::TaskId task, std::int32_t slots, const std::vector<proto::ExecId>& nodes) {
  const auto find = [&](const proto::ExecId& exec_id) {
    const auto node = nodes_.find(exec_id);
    return node == nodes_.end() ? nullptr : &node->second;
  };
  const bool on_all = !nodes.empty() && std::all_of(nodes.begin(), nodes.end(), [&](const auto& exec_id) {
    const auto* node = find(exec_id);
    return node != nullptr && node->reserved + slots <= node->slots;
  });
  if (on_all) {
    // Whose rows are nowhere yet may get them everywhere.
    const bool is_new =
        std::none_of(nodes_.begin(), nodes_.end(), [&](const auto& node) { return node.second.users.contains(task); });
    for (const auto& exec_id : nodes) {
      auto* node = find(exec_id);
      node->reserved += slots;
      node->reservers[task] = slots;
      if (is_new) node->users[task] = slots;
    }
    return true;
  }
  for (const auto& exec_id : nodes) {
    auto* node = find(exec_id);
    if (node == nullptr) continue;
    std::int64_t used = slots;
    for (const auto& [user, user_slots] : node->users) used += user == task ? 0 : user_slots;
    if (used > node->slots) continue;
    node->users[task] = slots;
    return true;
  }
  return false;
}

std::map<proto::TaskId, std::int32_t> SlotReservation::takersOf(const proto::ExecId& exec_id) const {
  const auto node = nodes_.find(exec_id);
  if (node == nodes_.end()) return {};
  auto takers = node->second.users;
  takers.insert(node->second.reservers.begin(), node->second.reservers.end());
  return takers;
}

}  // namespace disttask::scheduler
