#include "disttask/reasons/reasons.hpp"
#include "node_reasons.hpp"

#include <algorithm>

namespace disttask::reasons {

namespace {

using proto::TaskState;
using storage::PlanKind;

constexpr std::size_t kMaxNamed = 3;

std::string stepText(proto::Step step) {
  return "step " + std::to_string(step.value());
}

/// Whoever leads all tasks may be missing: then nothing of any task changes.
std::optional<Reason> whyNobodyLeads(const Facts& facts) {
  const auto& owner = facts.owner;
  if (owner.life == proto::Life()) {
    return Reason{Code::kNoOwner, "no node holds the scheduler role: is any daemon with scheduler.enabled alive?"};
  }
  if (owner.node_life == proto::Life()) {
    return Reason{
        Code::kOwnerSilent,
        "node " + owner.exec_id + " holds the scheduler role and is not alive; another takes it when its lease ends"};
  }
  if (owner.since_renewal_ms && owner.lease_ms > 0 && *owner.since_renewal_ms > owner.lease_ms) {
    return Reason{
        Code::kOwnerSilent,
        "node " + owner.exec_id + " holds the scheduler role and has not renewed it for " +
            std::to_string(*owner.since_renewal_ms / 1000) + " s, and no other node has taken it"};
  }
  return std::nullopt;
}

bool isAlive(const Facts& facts, const proto::ExecId& exec_id) {
  return std::any_of(facts.nodes.begin(), facts.nodes.end(), [&](const auto& node) {
    return node.exec_id == exec_id && node.life != proto::Life();
  });
}

Reason whyPlanIsOpen(const Facts& facts, const storage::Plan& plan) {
  const auto what = plan.kind == PlanKind::kRevert ? std::string("the revert")
                    : plan.step                    ? "the plan of " + stepText(*plan.step)
                                                   : "the plan after " + stepText(plan.after_step);
  for (const auto& rest : facts.resting) {
    if (rest.kind != plan.kind || rest.after_step != plan.after_step || rest.not_before_ms == 0) continue;
    return {
        Code::kPlanBackOff,
        what + " waits on " + plan.planner + " after try " + std::to_string(plan.retries) + ": " + plan.error,
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

Reason whyNotPlanned(const Facts& facts) {
  if (facts.ahead.empty()) return {Code::kNotPlanned, "the scheduler has not given its plan to a node yet"};
  std::string names;
  for (std::size_t i = 0; i < std::min(facts.ahead.size(), kMaxNamed); ++i) {
    names += (i == 0 ? "" : ", ") + facts.ahead[i].key;
  }
  if (facts.ahead.size() > kMaxNamed) names += " and " + std::to_string(facts.ahead.size() - kMaxNamed) + " more";
  return {Code::kRank, "it waits for its place behind tasks of higher rank: " + names};
}

void addPlanReasons(const Facts& facts, std::vector<Reason>& reasons) {
  if (const auto* plan = planAtHand(facts)) {
    if (plan->failed) {
      reasons.push_back({Code::kPlanFailed, "planning has failed: " + plan->error});
    } else {
      reasons.push_back(whyPlanIsOpen(facts, *plan));
    }
  } else if (facts.counts.unfinished() == 0) {
    reasons.push_back(whyNotPlanned(facts));
  }
}

void addRunning(const Facts& facts, std::vector<Reason>& reasons) {
  const auto running = facts.counts.running;
  if (running > 0) {
    reasons.push_back({Code::kRunning, countText(running) + (running == 1 ? " runs" : " run"), running});
  }
}

void addWorkReasons(const Facts& facts, std::vector<Reason>& reasons) {
  if (const auto none = whyNoNodeFits(facts)) reasons.push_back(*none);
  addPlanReasons(facts, reasons);
  addPendingReasons(facts, reasons);
  addTriedReasons(facts, reasons);
  addRunning(facts, reasons);
}

}  // namespace

std::vector<Reason> explain(const Facts& facts) {
  const auto& task = facts.task;
  if (proto::isDone(task.state)) return {{Code::kEnded, "it has ended: " + std::string(toString(task.state))}};
  std::vector<Reason> reasons;
  const auto add = [&](Code code, std::string text) { reasons.push_back({code, std::move(text)}); };
  switch (task.state) {
    case TaskState::kPaused:
      add(Code::kPaused, "it is paused; task resume lets it go on");
      return reasons;
    case TaskState::kAwaitingResolution:
      add(Code::kResolution, "it waits for somebody's decision (task resolve) after: " + task.error);
      return reasons;
    default:
      break;
  }
  if (auto nobody = whyNobodyLeads(facts)) reasons.push_back(std::move(*nobody));
  switch (task.state) {
    case TaskState::kPausing:
      add(Code::kPausing, "it is being paused, what runs may end");
      addRunning(facts, reasons);
      break;
    case TaskState::kResuming:
      add(Code::kResuming, "it is about to go on after a pause");
      break;
    case TaskState::kModifying:
      add(Code::kModifying, "a modification is being applied");
      break;
    case TaskState::kCancelling:
      add(Code::kCancelling, "it was cancelled and is about to be reverted");
      break;
    case TaskState::kReverting:
      add(Code::kReverting, "it is being reverted: " + task.error);
      if (const auto* plan = planAtHand(facts); plan != nullptr && !plan->failed) {
        reasons.push_back(whyPlanIsOpen(facts, *plan));
      }
      addRunning(facts, reasons);
      break;
    default:
      addWorkReasons(facts, reasons);
      break;
  }
  if (reasons.empty()) add(Code::kAboutToStart, "nothing is in its way");
  return reasons;
}

std::string_view toString(Code code) noexcept {
  switch (code) {
    case Code::kEnded:
      return "ended";
    case Code::kPaused:
      return "paused";
    case Code::kPausing:
      return "pausing";
    case Code::kResuming:
      return "resuming";
    case Code::kModifying:
      return "modifying";
    case Code::kCancelling:
      return "cancelling";
    case Code::kReverting:
      return "reverting";
    case Code::kResolution:
      return "waiting_for_resolution";
    case Code::kNoOwner:
      return "no_owner";
    case Code::kOwnerSilent:
      return "owner_silent";
    case Code::kNoNode:
      return "no_live_node";
    case Code::kNoType:
      return "type_not_offered";
    case Code::kNoScope:
      return "no_node_in_scope";
    case Code::kNoSlots:
      return "too_few_slots";
    case Code::kCordoned:
      return "cordoned";
    case Code::kRank:
      return "rank_behind";
    case Code::kNotPlanned:
      return "not_planned";
    case Code::kPlanFailed:
      return "plan_failed";
    case Code::kPlanBackOff:
      return "plan_back_off";
    case Code::kPlannerGone:
      return "planner_gone";
    case Code::kPlanning:
      return "planning";
    case Code::kNodeGone:
      return "node_gone";
    case Code::kNodeUnfit:
      return "node_unfit";
    case Code::kSlotsShort:
      return "slots_short";
    case Code::kOwnSubtasks:
      return "behind_own";
    case Code::kAboutToStart:
      return "about_to_start";
    case Code::kBackOff:
      return "back_off";
    case Code::kRunsAlone:
      return "runs_alone";
    case Code::kHandedBack:
      return "handed_back";
    case Code::kRunning:
      return "running";
  }
  return "unknown";
}

}  // namespace disttask::reasons
