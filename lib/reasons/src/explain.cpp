#include "disttask/reasons/reasons.hpp"
#include "node_reasons.hpp"
#include "task_reasons.hpp"

#include <algorithm>
#include <map>

namespace disttask::reasons {

namespace {

using proto::TaskState;
using storage::PlanKind;

constexpr std::size_t kMaxNamed = 3;

std::string stepText(proto::Step step) {
  return "step " + std::to_string(step.value());
}

Reason whyPlanIsOpen(const Facts& facts, const storage::Plan& plan) {
  const auto what = plan.kind == PlanKind::kRevert ? std::string("the revert")
                    : plan.step                    ? "the plan of " + stepText(*plan.step)
                                                   : "the plan after " + stepText(plan.after_step);
  for (const auto& rest : facts.resting) {
    if (rest.kind != plan.kind || rest.after_step != plan.after_step || rest.not_before_ms == 0) continue;
    return {
        Code::kPlanBackOff,
        what + " waits on " + plan.planner +
            (plan.retries > 0 ? " after try " + std::to_string(plan.retries) : std::string()) + ": " + plan.error,
        0,
        (rest.not_before_ms + 999) / 1000};
  }
  if (!isAlive(facts, plan.planner)) {
    return {
        Code::kPlannerGone, what + " is with node " + plan.planner + ", which is not alive, to be given to another"};
  }
  auto text = what + " goes on, on node " + plan.planner;
  if (plan.step) text += "; " + countText(plan.next_ordinal - 1) + " so far";
  return {Code::kPlanning, text};
}

/// The plan that the task waits for: of its step, of what follows, or of its revert.
const storage::Plan* planAtHand(const Facts& facts) {
  const auto& task = facts.task;
  const auto find = [&](auto matches) -> const storage::Plan* {
    const auto found = std::find_if(facts.plans.begin(), facts.plans.end(), [&](const auto& plan) {
      return !plan.complete && matches(plan);
    });
    return found == facts.plans.end() ? nullptr : &*found;
  };
  if (task.state == TaskState::kReverting) return find([](const auto& plan) { return plan.kind == PlanKind::kRevert; });
  const auto* of_step = find([&](const auto& plan) { return plan.kind == PlanKind::kStep && plan.step == task.step; });
  if (of_step != nullptr) return of_step;
  return find([&](const auto& plan) { return plan.kind == PlanKind::kStep && plan.after_step == task.step; });
}

std::string keysOf(const std::vector<const proto::TaskBase*>& tasks) {
  std::string names;
  for (std::size_t i = 0; i < std::min(tasks.size(), kMaxNamed); ++i) names += (i == 0 ? "" : ", ") + tasks[i]->key;
  if (tasks.size() > kMaxNamed) names += " and " + std::to_string(tasks.size() - kMaxNamed) + " more";
  return names;
}

/// Tasks of higher rank that take a place. Those that only wait for a node take none.
std::vector<const proto::TaskBase*> atWorkAhead(const Facts& facts) {
  std::vector<const proto::TaskBase*> tasks;
  for (const auto& task : facts.ahead) {
    const bool takes_place = task.state == TaskState::kRunning || task.state == TaskState::kPending;
    if (takes_place && canRunSomewhere(facts, task)) tasks.push_back(&task);
  }
  return tasks;
}

Reason whyNotPlanned(const Facts& facts) {
  const auto ahead = atWorkAhead(facts);
  if (ahead.empty()) return {Code::kNotPlanned, "the scheduler has not given its plan to a node yet"};
  if (auto short_of = whySlotsShort(facts)) return *short_of;
  return {
      Code::kRank,
      "the scheduler has not begun it: it comes after tasks of higher rank, and waits for a place (at most "
      "scheduler.max_tasks are at work at a time) or for slots; ahead: " +
          keysOf(ahead)};
}

/// `fits`: some node could run the task. Where none does, that is why it is not planned, and not its rank.
void addPlanReasons(const Facts& facts, bool fits, std::vector<Reason>& reasons) {
  if (const auto* plan = planAtHand(facts)) {
    if (plan->failed) {
      reasons.push_back({Code::kPlanFailed, "planning has failed: " + plan->error});
    } else {
      reasons.push_back(whyPlanIsOpen(facts, *plan));
    }
  } else if (fits && facts.counts.unfinished() == 0) {
    reasons.push_back(whyNotPlanned(facts));
  }
}

/// What its task type holds up, by what holds it up; returns how many subtasks that are.
std::int64_t addThrottled(const Facts& facts, std::vector<Reason>& reasons) {
  std::map<std::string, std::int64_t> by_reason;
  for (const auto& subtask : facts.throttled) {
    if (isAlive(facts, subtask.exec_id) && !isSilentOwner(facts, subtask.exec_id)) ++by_reason[subtask.reason];
  }
  std::int64_t all = 0;
  std::size_t named = 0;
  for (const auto& [reason, subtasks] : by_reason) {
    if (++named > kMaxNamed) break;
    reasons.push_back(
        {Code::kThrottled,
         countText(subtasks) + (subtasks == 1 ? " is" : " are") + " held up by the task's type: " + reason,
         subtasks}
    );
    all += subtasks;
  }
  return all;
}

/// What runs by its rows; a row of a node that is not alive runs nowhere. While the owner is silent nobody looks
/// whether nodes are alive.
void addRunning(const Facts& facts, std::vector<Reason>& reasons) {
  auto alive = facts.counts.running;
  for (const auto& [exec_id, subtasks] : facts.running) {
    if (isAlive(facts, exec_id) && !isSilentOwner(facts, exec_id)) continue;
    reasons.push_back(
        {Code::kNodeGone,
         countText(subtasks) + " ran on " + exec_id +
             ", which is not alive: to be given back, or failed if they may not run twice",
         subtasks}
    );
    alive -= subtasks;
  }
  alive -= addThrottled(facts, reasons);
  if (alive <= 0) return;
  const auto nobody = whyNobodyLeads(facts);
  auto text = countText(alive) + (alive == 1 ? " runs" : " run");
  if (nobody) text += alive == 1 ? ", as far as its row tells" : ", as far as their rows tell";
  reasons.push_back({Code::kRunning, std::move(text), alive});
}

void addWorkReasons(const Facts& facts, std::vector<Reason>& reasons) {
  const auto none = whyNoNodeFits(facts);
  if (none) reasons.push_back(*none);
  addPlanReasons(facts, !none, reasons);
  addPendingReasons(facts, reasons);
  addTriedReasons(facts, reasons);
  addRunning(facts, reasons);
}

}  // namespace

std::vector<Reason> explain(const Facts& facts) {
  const auto& task = facts.task;
  if (proto::isDone(task.state)) return {{Code::kEnded, "it has ended: " + endText(task)}};
  auto state = whyStateHolds(task);
  if (state && !isLed(task.state)) return {*state};
  std::vector<Reason> reasons;
  if (auto nobody = whyNobodyLeads(facts)) reasons.push_back(std::move(*nobody));
  if (state) {
    reasons.push_back(std::move(*state));
    if (task.state == TaskState::kReverting) {
      if (const auto* plan = planAtHand(facts); plan != nullptr && !plan->failed) {
        reasons.push_back(whyPlanIsOpen(facts, *plan));
      }
    }
    if (task.state == TaskState::kReverting || task.state == TaskState::kPausing) addRunning(facts, reasons);
  } else {
    addWorkReasons(facts, reasons);
  }
  if (reasons.empty()) reasons.push_back({Code::kAboutToStart, "nothing is in its way"});
  return reasons;
}

}  // namespace disttask::reasons
