#include "disttask/scheduler/node_observer.hpp"

#include <algorithm>

namespace disttask::scheduler {

namespace {

/// Beyond the lease, for clocks that do not run quite alike and a renewal that is under way.
constexpr std::chrono::seconds kGrace{1};

}  // namespace

void NodeObserver::confirmWrite(runtime::TimePoint at) {
  if (last_write_ && at <= *last_write_) return;
  // Also a gap that has ended by now made what was seen before it worthless.
  if (!last_write_ || at - *last_write_ > max_gap_) {
    observations_.clear();
    counts_from_ = at;
  }
  last_write_ = at;
}

std::vector<LeaseReading> NodeObserver::observe(
    const std::vector<LeaseReading>& seen, runtime::TimePoint began, runtime::TimePoint ended
) {
  if (!last_write_ || ended - *last_write_ > max_gap_) {
    observations_.clear();
    return {};
  }
  if (ended < counts_from_) return {};
  std::map<proto::ExecId, Observation> now;
  std::vector<LeaseReading> expired;
  for (const auto& reading : seen) {
    if (reading.life == proto::Life()) continue;
    const auto before = observations_.find(reading.exec_id);
    const bool same = before != observations_.end() && before->second.life == reading.life &&
                      before->second.renewals == reading.renewals;
    now[reading.exec_id] = same ? before->second : Observation{reading.life, reading.renewals, ended};
    if (same && began - before->second.since >= reading.lease + kGrace) expired.push_back(reading);
  }
  observations_ = std::move(now);
  return expired;
}

runtime::Duration NodeObserver::silenceOf(const proto::ExecId& exec_id, runtime::TimePoint began) const {
  const auto observation = observations_.find(exec_id);
  if (observation == observations_.end()) return runtime::Duration::zero();
  return std::max(began - observation->second.since, runtime::Duration::zero());
}

std::optional<runtime::TimePoint> NodeObserver::expiryOf(const proto::ExecId& exec_id, runtime::Duration lease) const {
  const auto observation = observations_.find(exec_id);
  if (observation == observations_.end()) return std::nullopt;
  return observation->second.since + lease + kGrace;
}

}  // namespace disttask::scheduler
