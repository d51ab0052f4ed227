#include "disttask/scheduler/task_decision.hpp"

#include <algorithm>

namespace disttask::scheduler {

namespace {

using proto::TaskState;
using storage::Plan;
using storage::PlanKind;

template <typename F>
const Plan* findPlan(const TaskView& view, PlanKind kind, F matches) {
  const auto found = std::find_if(view.plans.begin(), view.plans.end(), [&](const Plan& plan) {
    return plan.kind == kind && matches(plan);
  });
  return found == view.plans.end() ? nullptr : &*found;
}

/// The plan that wrote the current step's subtasks.
const Plan* planOfStep(const TaskView& view) {
  return findPlan(view, PlanKind::kStep, [&](const Plan& plan) { return plan.step == view.step; });
}

/// The plan that says what follows the current step.
const Plan* planAfterStep(const TaskView& view) {
  return findPlan(view, PlanKind::kStep, [&](const Plan& plan) { return plan.after_step == view.step; });
}

const Plan* revertPlan(const TaskView& view) {
  return findPlan(view, PlanKind::kRevert, [](const Plan&) { return true; });
}

bool isOpen(const Plan& plan) {
  return !plan.complete && !plan.failed;
}

TaskDecision wait(const TaskView& view) {
  return {TaskAction::kWait, view.why_no_planner};
}

/// A plan that is open and whose planner works on it needs nothing; one whose planner is gone goes to another.
TaskDecision keepGoing(const TaskView& view, const Plan& plan, bool has_other) {
  if (view.is_planner_alive) return {};
  if (!has_other) return wait(view);
  return {TaskAction::kAssignPlan, {}, plan};
}

/// The step that the task is in has ended, or it has none yet: what follows?
TaskDecision decideNextStep(const TaskView& view) {
  const auto* next = planAfterStep(view);
  if (next == nullptr) {
    if (!view.has_planner) return wait(view);
    if (!view.has_place) return {TaskAction::kWait, std::string(view.why_no_place)};
    return {TaskAction::kCreatePlan};
  }
  if (next->failed) return {TaskAction::kRevert, next->error};
  if (!next->complete) return keepGoing(view, *next, view.has_planner);
  // A complete plan with a step has entered it: this view of the task is older, the next round sees it.
  if (next->step != proto::kStepDone) return {};
  return {view.state == TaskState::kPending ? TaskAction::kBegin : TaskAction::kSucceed};
}

TaskDecision decideRunning(const TaskView& view) {
  if (view.rows.failed) {
    const auto action = view.manual_recovery ? TaskAction::kAwaitResolution : TaskAction::kRevert;
    const auto step = std::to_string(view.step.value());
    return {
        action,
        view.failed_subtask.empty() ? "a subtask of step " + step + " ended without success" : view.failed_subtask};
  }
  if (view.rows.paused) return {TaskAction::kResumeSubtasks};
  if (const auto* plan = planOfStep(view); plan != nullptr) {
    if (plan->failed) return {TaskAction::kRevert, plan->error};
    // A step ends only when its plan is complete, so rows that are all done mean nothing before.
    if (!plan->complete) return keepGoing(view, *plan, view.has_planner);
  }
  if (view.rows.unfinished()) return {};
  return decideNextStep(view);
}

TaskDecision decidePausing(const TaskView& view) {
  if (view.rows.pending) return {TaskAction::kPauseSubtasks};
  if (view.rows.running) return {};  // their nodes pause them, or let them end
  return {TaskAction::kPaused};
}

TaskDecision decideReverting(const TaskView& view) {
  if (view.rows.pending || view.rows.paused) return {TaskAction::kCancelSubtasks};
  if (view.rows.running) return {};  // their nodes cancel them
  const auto* plan = revertPlan(view);
  if (plan == nullptr) {
    // Nothing was done that a hook could undo.
    const bool has_entered = view.step != proto::kStepInit && planOfStep(view) != nullptr;
    if (!has_entered) return {TaskAction::kReverted};
    if (!view.has_reverter) return wait(view);
    return {TaskAction::kCreateRevertPlan};
  }
  // A hook that failed for good leaves the task reverted as far as it could be.
  if (!isOpen(*plan)) return {TaskAction::kReverted, plan->failed ? "the revert hook failed: " + plan->error : ""};
  return keepGoing(view, *plan, view.has_reverter);
}

}  // namespace

std::string_view toString(TaskAction action) noexcept {
  switch (action) {
    case TaskAction::kNone:
      return "none";
    case TaskAction::kWait:
      return "wait";
    case TaskAction::kCreatePlan:
      return "create_plan";
    case TaskAction::kCreateRevertPlan:
      return "create_revert_plan";
    case TaskAction::kAssignPlan:
      return "assign_plan";
    case TaskAction::kBegin:
      return "begin";
    case TaskAction::kSucceed:
      return "succeed";
    case TaskAction::kRevert:
      return "revert";
    case TaskAction::kAwaitResolution:
      return "await_resolution";
    case TaskAction::kPauseSubtasks:
      return "pause_subtasks";
    case TaskAction::kPaused:
      return "paused";
    case TaskAction::kResumeSubtasks:
      return "resume_subtasks";
    case TaskAction::kResumed:
      return "resumed";
    case TaskAction::kModify:
      return "modify";
    case TaskAction::kCancelSubtasks:
      return "cancel_subtasks";
    case TaskAction::kReverted:
      return "reverted";
  }
  return "unknown";
}

std::optional<proto::TaskEvent> eventOf(TaskAction action) noexcept {
  switch (action) {
    case TaskAction::kBegin:
      return proto::TaskEvent::kBegin;
    case TaskAction::kSucceed:
      return proto::TaskEvent::kSucceed;
    case TaskAction::kRevert:
      return proto::TaskEvent::kRevert;
    case TaskAction::kAwaitResolution:
      return proto::TaskEvent::kAwaitResolution;
    case TaskAction::kPaused:
      return proto::TaskEvent::kPaused;
    case TaskAction::kResumed:
      return proto::TaskEvent::kResumed;
    case TaskAction::kModify:
      return proto::TaskEvent::kModified;
    case TaskAction::kReverted:
      return proto::TaskEvent::kReverted;
    case TaskAction::kNone:
    case TaskAction::kWait:
    case TaskAction::kCreatePlan:
    case TaskAction::kCreateRevertPlan:
    case TaskAction::kAssignPlan:
    case TaskAction::kPauseSubtasks:
    case TaskAction::kResumeSubtasks:
    case TaskAction::kCancelSubtasks:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Plan> findOpenPlan(const TaskView& view) {
  if (view.state == TaskState::kReverting) {
    const auto* plan = revertPlan(view);
    return plan != nullptr && isOpen(*plan) ? std::optional(*plan) : std::nullopt;
  }
  for (const auto* plan : {planOfStep(view), planAfterStep(view)}) {
    if (plan != nullptr && isOpen(*plan)) return *plan;
  }
  return std::nullopt;
}

TaskDecision decide(const TaskView& view) {
  switch (view.state) {
    case TaskState::kPending:
      return decideNextStep(view);
    case TaskState::kRunning:
      return decideRunning(view);
    case TaskState::kCancelling:
      return {TaskAction::kRevert, std::string(kCancelledByUser)};
    case TaskState::kReverting:
      return decideReverting(view);
    case TaskState::kPausing:
      return decidePausing(view);
    case TaskState::kResuming:
      return {view.rows.paused ? TaskAction::kResumeSubtasks : TaskAction::kResumed};
    case TaskState::kModifying:
      return {TaskAction::kModify};
    default:
      return {};  // ended, paused, or waiting for somebody's decision
  }
}

}  // namespace disttask::scheduler
