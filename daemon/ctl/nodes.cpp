#include "nodes.hpp"

#include "context.hpp"
#include "disttask/storage/poll_table.hpp"

#include <algorithm>

namespace disttask::ctl {
namespace {
constexpr std::int32_t kMostHosts = 10'000;
}  // namespace

std::vector<proto::Node> listNodes(Context& context) {
  auto& store = context.store();
  std::vector<proto::Node> nodes;
  if (!context.isWithoutSideTables()) nodes = store.nodeTable().getAllNodes(context.call());
  if (!context.isBesideTidb()) return nodes;
  for (const auto& host : store.health().listRegistered(context.call(), kMostHosts)) {
    const auto is_ours = [&](const proto::Node& node) { return node.exec_id == host.host; };
    if (std::any_of(nodes.begin(), nodes.end(), is_ours)) continue;
    proto::Node node;
    node.exec_id = host.host;
    node.role = host.role;
    node.slots = host.slots;
    node.lease_ms = 0;
    node.has_meta_row = true;
    nodes.push_back(std::move(node));
  }
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.exec_id < b.exec_id; });
  return nodes;
}

bool isTidbHost(const proto::Node& node) noexcept {
  return node.has_meta_row && node.lease_ms == 0;  // each node of ours has a lease
}

std::string_view stateOf(const proto::Node& node) noexcept {
  if (isTidbHost(node)) return "registered";
  return node.life == proto::Life() ? "gone" : "live";
}

std::string_view wantedOf(const proto::Node& node, bool is_empty) noexcept {
  return node.wanted == proto::WantedState::kDraining && is_empty ? "drained" : toString(node.wanted);
}

std::string findWanted(Context& context, const proto::Node& node) {
  if (isTidbHost(node)) return "";
  if (node.wanted != proto::WantedState::kDraining) return std::string(wantedOf(node, false));
  const auto seen = context.store().pollTable().poll(context.call(), node.exec_id);
  return std::string(wantedOf(node, !seen.has_subtasks && !seen.has_plan));
}

}  // namespace disttask::ctl
