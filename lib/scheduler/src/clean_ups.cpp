#include "clean_ups.hpp"

#include "disttask/observability/log_context.hpp"
#include "hook_node.hpp"

#include <utility>
#include <vector>

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
  std::vector<storage::OpenCleanUp> page;
  bool has_given = false;
  do {
    // Those that wait, however many, do not hide those behind them.
    const auto after = page.empty() ? proto::TaskId() : page.back().task.id;
    page = table_.findOpenCleanUps(round.call(), after, kMaxPerLook);
    for (const auto& clean_up : page) {
      try {
        has_given |= place(round, clean_up, waiting);
      } catch (const Exception& e) {
        if (endsRound(e.error())) throw;
        failures_.logFor(
            std::to_string(clean_up.task.id.value()),
            Level::kWarn,
            "clean-up could not be given to another node; tried again",
            {{"task_id", clean_up.task.id}, {"error", e.error().message()}, {"code", toString(e.error().code())}}
        );
      }
    }
  } while (page.size() == static_cast<std::size_t>(kMaxPerLook) && !has_given);
  // Who was not looked at waits as before.
  if (page.size() == static_cast<std::size_t>(kMaxPerLook)) {
    waiting.insert(waiting_.upper_bound(page.back().task.id), waiting_.end());
  }
  waiting_ = std::move(waiting);
  next_look_ = now + kPause;
  nodes_seen_ = nodes;
}

bool CleanUps::place(
    Round& round, const storage::OpenCleanUp& clean_up, std::map<proto::TaskId, std::string>& waiting
) {
  const auto& [task, plan] = clean_up;
  const auto& placement = round.placement;
  if (placement.canPlan(plan.planner, task)) {
    // As a plan, it leaves a draining node for another that fits; where there is none it stays.
    const bool leaves =
        placement.isDraining(plan.planner) && placement.choosePlanner(task, round.open_plans, false).has_value();
    if (!leaves) return false;
  }
  const auto fields = observability::taskFields(task);
  const observability::LogContext context(fields);
  const auto planner = chooseHookNode(round, task, storage::PlanKind::kCleanUp);
  if (!planner) {
    auto why = placement.whyNone(task);
    const auto before = waiting_.find(task.id);
    if (before == waiting_.end() || before->second != why) {
      log(Level::kWarn, "clean-up of an ended task waits", {{"task_id", task.id}, {"reason", why}});
    }
    waiting.emplace(task.id, std::move(why));
    return false;
  }
  table_.assignPlan(round.call(), round.owner, plan, *planner);
  ++round.open_plans[*planner];
  log(Level::kInfo, "clean-up given to another node", {{"task_id", task.id}, {"from", plan.planner}, {"to", *planner}});
  round.nudge({*planner});
  return true;
}

}  // namespace disttask::scheduler
