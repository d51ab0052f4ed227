#include "watch.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace disttask::ctl {

using std::chrono::milliseconds;

milliseconds timeToRenew(const proto::Node& node) {
  const milliseconds quarter(node.lease_ms / 4);
  // What the timer and the write take.
  return quarter + std::min(quarter, milliseconds(2000));
}

std::optional<milliseconds> watchBesideTiDb(const std::vector<proto::Node>& nodes) {
  constexpr milliseconds kMost(30'000);
  milliseconds longest(0);
  for (const auto& node : nodes) {
    if (node.life != proto::Life()) longest = std::max(longest, timeToRenew(node));
  }
  return longest > milliseconds(0) ? std::optional(std::min(longest, kMost)) : std::nullopt;
}

void noteSilence(
    const std::vector<proto::Node>& before,
    const std::vector<proto::Node>& now,
    milliseconds watched,
    DoctorFacts& facts
) {
  std::map<proto::ExecId, std::pair<proto::Life, std::int64_t>> seen;
  for (const auto& node : before) seen.emplace(node.exec_id, std::pair(node.life, node.renewals));
  for (const auto& node : now) {
    const auto at = seen.find(node.exec_id);
    if (node.life == proto::Life() || at == seen.end() || at->second != std::pair(node.life, node.renewals)) continue;
    const auto needed = timeToRenew(node);
    if (watched >= needed) {
      facts.silent.push_back(node.exec_id);
    } else {
      facts.unwatched.push_back({node.exec_id, watched, needed});
    }
  }
}

}  // namespace disttask::ctl
