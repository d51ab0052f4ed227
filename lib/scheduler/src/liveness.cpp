#include "liveness.hpp"

#include "disttask/observability/log.hpp"
#include "ownership.hpp"

#include <algorithm>

namespace disttask::scheduler {

using observability::Level;
using observability::log;

namespace {

/// Rows that one transaction takes back: each needs a few statements.
constexpr std::int32_t kRowsPerRelease = 64;
/// Rows of whom no node row knows come from outside, and are looked for that often.
constexpr std::chrono::seconds kStraysEvery{30};
/// Somebody who holds a row makes each try last as long as a call may. After one the rest of the work has so many times
/// as long.
constexpr int kRestShare = 2;

}  // namespace

Liveness::Liveness(
    storage::NodeTable& nodes, storage::SchedulerTable& table, runtime::Clock& clock, runtime::Duration lease
)
    : nodes_(nodes), table_(table), clock_(clock), observer_(maxGap(lease)) {}

Placement Liveness::look(const runtime::Call& call, bool is_owner) {
  const auto began = clock_.now();
  auto nodes = nodes_.getAllNodes(call);
  const auto ended = clock_.now();
  std::vector<LeaseReading> readings;
  readings.reserve(nodes.size());
  for (const auto& node : nodes) {
    readings.push_back({node.exec_id, node.life, node.renewals, std::chrono::milliseconds(node.lease_ms)});
  }
  const auto expired = observer_.observe(readings, began, ended);
  if (!is_owner) return Placement(std::move(nodes));
  for (const auto& dead : expired) {
    if (!evict(call, dead)) continue;
    const auto node =
        std::find_if(nodes.begin(), nodes.end(), [&](const auto& n) { return n.exec_id == dead.exec_id; });
    node->life = proto::Life();
    log(Level::kWarn,
        "node evicted: it did not renew its lease",
        {{"exec_id", dead.exec_id}, {"life", dead.life}, {"host", node->host}, {"pid", node->pid}});
  }
  return Placement(std::move(nodes), findSilent(readings, began));
}

bool Liveness::evict(const runtime::Call& call, const LeaseReading& dead) {
  const auto began = clock_.now();
  if (isResting(resting_evictions_, dead.exec_id, began)) return false;
  try {
    // Compares life and renewals: a node that renewed a moment ago stays.
    const bool evicted = nodes_.evict(call, dead.exec_id, dead.life, dead.renewals);
    resting_evictions_.erase(dead.exec_id);
    return evicted;
  } catch (const Exception& e) {
    if (endsRound(e.error())) throw;
    rest(resting_evictions_, dead.exec_id, began);
    logFailure("node could not be evicted; tried again", dead.exec_id, e.error());
    return false;
  }
}

std::set<proto::ExecId> Liveness::findSilent(const std::vector<LeaseReading>& readings, runtime::TimePoint began)
    const {
  std::set<proto::ExecId> silent;
  for (const auto& reading : readings) {
    if (observer_.silenceOf(reading.exec_id, began) > reading.lease / 2) silent.insert(reading.exec_id);
  }
  return silent;
}

void Liveness::lookForStrays(Round& round) {
  const auto now = clock_.now();
  if (!strays_seen_ || now - *strays_seen_ >= kStraysEvery) {
    strays_seen_ = now;  // also when it fails: the rest of a round can do without
    strays_ = table_.findStrays(round.call());
  }
  std::erase_if(strays_, [&](const auto& exec_id) { return round.placement.find(exec_id) != nullptr; });
  round.strays = strays_;
}

std::int64_t Liveness::releaseRows(Round& round, const std::function<bool()>& renew) {
  lookForStrays(round);
  auto dead = table_.findDeadHolders(round.call());
  dead.insert(dead.end(), strays_.begin(), strays_.end());
  std::erase_if(resting_, [&](const auto& entry) {
    return std::find(dead.begin(), dead.end(), entry.first) == dead.end();
  });
  std::int64_t all = 0;
  for (const auto& exec_id : dead) {
    const auto began = clock_.now();
    if (isResting(resting_, exec_id, began)) continue;
    if (!renew()) break;
    try {
      all += releaseRowsOf(round, exec_id);
      resting_.erase(exec_id);
    } catch (const Exception& e) {
      if (endsRound(e.error())) throw;
      rest(resting_, exec_id, began);
      logFailure("running subtasks of a dead node could not be taken back; tried again", exec_id, e.error());
    }
  }
  return all;
}

bool Liveness::isResting(const RestingNodes& resting, const proto::ExecId& exec_id, runtime::TimePoint now) {
  const auto found = resting.find(exec_id);
  return found != resting.end() && now < found->second;
}

void Liveness::rest(RestingNodes& resting, const proto::ExecId& exec_id, runtime::TimePoint began) const {
  const auto now = clock_.now();
  resting[exec_id] = now + (now - began) * kRestShare;
}

void Liveness::logFailure(std::string_view what, const proto::ExecId& exec_id, const Error& error) {
  failures_.logFor(
      exec_id, Level::kWarn, what, {{"exec_id", exec_id}, {"error", error.message()}, {"code", toString(error.code())}}
  );
}

std::int64_t Liveness::releaseRowsOf(Round& round, const proto::ExecId& exec_id) {
  std::int64_t released = 0;
  for (std::int64_t count = kRowsPerRelease; count == kRowsPerRelease; released += count) {
    count = table_.releaseRowsOfDeadNode(
        round.call(), round.owner, exec_id, round.settings.max_abnormal_ends, kRowsPerRelease
    );
  }
  if (released > 0) {
    log(Level::kInfo, "running subtasks of a dead node taken back", {{"exec_id", exec_id}, {"count", released}});
  }
  return released;
}

}  // namespace disttask::scheduler
