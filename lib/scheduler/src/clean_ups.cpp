#include "clean_ups.hpp"

#include "disttask/observability/log_context.hpp"

#include <utility>

namespace disttask::scheduler {

namespace {

using observability::Level;
using observability::log;

constexpr std::chrono::seconds kPause{5};
constexpr std::int32_t kMaxPerLook = 100;

}  // namespace

void CleanUps::run(Round& round) {
  const auto now = round.clock.now();
  const auto nodes = round.placement.fingerprint();
  if (now < next_look_ && nodes == nodes_seen_) return;
  std::map<proto::TaskId, std::string> waiting;
  for (const auto& [task, plan] : table_.findOpenCleanUps(round.call(), kMaxPerLook)) {
    if (round.placement.canPlan(plan.planner, task)) continue;
    const auto fields = observability::taskFields(task);
    const observability::LogContext context(fields);
    const auto planner = round.placement.choosePlanner(task, round.open_plans, true);
    if (!planner) {
      auto why = round.placement.whyNone(task);
      const auto before = waiting_.find(task.id);
      if (before == waiting_.end() || before->second != why) {
        log(Level::kWarn, "clean-up of an ended task waits", {{"task_id", task.id}, {"reason", why}});
      }
      waiting.emplace(task.id, std::move(why));
      continue;
    }
    table_.assignPlan(round.call(), round.owner, plan, *planner);
    ++round.open_plans[*planner];
    log(Level::kInfo, "clean-up given to another node", {{"task_id", task.id}, {"from", plan.planner}, {"to", *planner}}
    );
    round.nudge({*planner});
  }
  waiting_ = std::move(waiting);
  next_look_ = now + kPause;
  nodes_seen_ = nodes;
}

}  // namespace disttask::scheduler
