#include "nudges.hpp"

#include "disttask/runtime/timers.hpp"

#include <algorithm>

namespace disttask::app {
namespace {
constexpr auto kKeepFor = std::chrono::seconds(2);
constexpr auto kCallLimit = std::chrono::seconds(2);
}  // namespace

Nudges::Nudges(
    storage::NodeTable& nodes, storage::SchedulerTable& scheduler, runtime::Clock& clock, runtime::Pool& pool
)
    : nodes_(nodes), scheduler_(scheduler), clock_(clock), pool_(pool) {}

Nudges::Wakes Nudges::read(std::string_view text, std::int64_t token, bool is_owner) {
  if (text == textOf(token)) return Wakes::kAll;
  if (text != ownerTextOf(token)) return Wakes::kNothing;
  return is_owner ? Wakes::kOwner : Wakes::kLook;
}

std::string Nudges::textOf(std::int64_t token) {
  return "nudge:" + std::to_string(token);
}

std::string Nudges::ownerTextOf(std::int64_t token) {
  return "owner:" + std::to_string(token);
}

void Nudges::wakeNodes(const std::vector<proto::ExecId>& nodes) noexcept {
  try {
    (void)pool_.run([this, nodes] { sendToNodes(nodes); });
  } catch (const std::exception&) {
    return;  // a hint that is not sent is no failure
  }
}

void Nudges::wakeSchedulers(const std::vector<proto::Node>& nodes) noexcept {
  try {
    for (const auto& node : nodes) {
      if (!node.address.empty()) runtime::sendDatagram(node.address, ownerTextOf(node.nudge_token));
    }
  } catch (const std::exception&) {
    return;
  }
}

void Nudges::wakeAllNodes() noexcept {
  try {
    (void)pool_.run([this] { sendToNodes(std::nullopt); });
  } catch (const std::exception&) {
    return;
  }
}

void Nudges::wakeAllNodesNow() noexcept {
  try {
    sendToNodes(std::nullopt);
  } catch (const std::exception&) {
    return;
  }
}

void Nudges::wakeOwner() noexcept {
  try {
    {
      const std::lock_guard lock(mutex_);
      if (owner_asked_) return;
      owner_asked_ = true;
    }
    if (!pool_.run([this] { sendToOwner(); })) {
      const std::lock_guard lock(mutex_);
      owner_asked_ = false;
    }
  } catch (const std::exception&) {
    return;
  }
}

void Nudges::sendToNodes(const std::optional<std::vector<proto::ExecId>>& nodes) {
  try {
    bool stale = false;
    {
      const std::lock_guard lock(mutex_);
      // A node that is not known yet has just joined.
      const auto is_unknown = [this](const proto::ExecId& id) { return known_.find(id) == known_.end(); };
      stale = !nodes || clock_.now() - known_at_ > kKeepFor || std::any_of(nodes->begin(), nodes->end(), is_unknown);
    }
    if (stale) {
      std::map<proto::ExecId, proto::Node> fresh;
      for (auto& node : nodes_.getAllNodes({{}, runtime::Deadline(clock_, kCallLimit)}))
        fresh.emplace(node.exec_id, std::move(node));
      const std::lock_guard lock(mutex_);
      known_ = std::move(fresh);
      known_at_ = clock_.now();
    }
    std::vector<std::pair<std::string, std::int64_t>> targets;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, node] : known_) {
        const bool meant = !nodes || std::find(nodes->begin(), nodes->end(), id) != nodes->end();
        if (meant && node.life != proto::Life() && !node.address.empty())
          targets.emplace_back(node.address, node.nudge_token);
      }
    }
    for (const auto& [address, token] : targets) runtime::sendDatagram(address, textOf(token));
  } catch (const Exception&) {
    return;  // the store is away: then there is nothing to hurry to either
  }
}

void Nudges::sendToOwner() {
  {
    const std::lock_guard lock(mutex_);
    owner_asked_ = false;
  }
  try {
    const auto owner = scheduler_.getOwner({{}, runtime::Deadline(clock_, kCallLimit)});
    if (!owner.address.empty()) runtime::sendDatagram(owner.address, ownerTextOf(owner.nudge_token));
  } catch (const Exception&) {
    return;
  }
}

}  // namespace disttask::app
