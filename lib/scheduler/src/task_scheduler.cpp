#include "task_scheduler.hpp"

#include "disttask/observability/log_context.hpp"
#include "hook_node.hpp"

#include <algorithm>
#include <utility>

namespace disttask::scheduler {

namespace {

using observability::Level;
using observability::log;
using proto::TaskState;
using storage::PlanKind;

/// Turns that one task gets in a round: more only for the many writes of a large cancellation.
constexpr int kMaxTurns = 20;
constexpr std::int32_t kRowsPerWrite = 1000;

bool needsPlans(TaskState state) {
  return state == TaskState::kPending || state == TaskState::kRunning || state == TaskState::kReverting;
}

/// Nodes that hold, or may soon look for, rows of a task: all live ones that offer its type.
std::vector<proto::ExecId> concerned(const Round& round, const proto::TaskBase& task) {
  std::vector<proto::ExecId> nodes;
  for (const auto& node : round.placement.nodes()) {
    if (round.placement.canPlan(node.exec_id, task)) nodes.push_back(node.exec_id);
  }
  return nodes;
}

std::optional<proto::ExecId> choosePlanner(const Round& round, const proto::TaskBase& task, PlanKind kind) {
  if (kind != PlanKind::kStep) return chooseHookNode(round, task, kind);
  return round.placement.choosePlanner(task, round.open_plans, false);
}

std::vector<proto::ExecId> live(const Round& round) {
  std::vector<proto::ExecId> nodes;
  for (const auto& node : round.placement.nodes()) {
    if (node.life != proto::Life()) nodes.push_back(node.exec_id);
  }
  return nodes;
}

}  // namespace

TaskRound TaskScheduler::run(Round& round, proto::TaskBase task, Admission admission, bool is_noted) {
  TaskRound result;
  for (int turn = 0; turn < kMaxTurns; ++turn) {
    const auto fields = observability::taskFields(task);
    const observability::LogContext context(fields);
    const auto view = look(round, task, admission);
    const auto decision = decide(view);
    if (is_noted) {
      result.changed = noteLooks(task, view) || result.changed;
      noteWaiting(task, decision);
    }
    const bool waits = decision.action == TaskAction::kWait;
    const bool counts = task.state == TaskState::kPending || task.state == TaskState::kRunning;
    result.takes_place = counts && !waits && view.has_planner;
    result.is_at_work = !waits && statesOf(proto::TaskActor::kOwner).contains(task.state);
    if (decision.action != TaskAction::kNone && !waits) result.changed = true;
    if (!perform(round, task, view, decision)) break;
  }
  result.state = task.state;
  return result;
}

TaskView TaskScheduler::look(Round& round, const proto::TaskBase& task, Admission admission) {
  TaskView view;
  view.state = task.state;
  view.step = task.step;
  view.manual_recovery = task.extra.manual_recovery;
  view.has_place = admission == Admission::kAdmitted;
  if (admission == Admission::kNoSlots) view.why_no_place = kNoSlotsText;
  const bool needs_plans = needsPlans(task.state);
  const bool needs_rows = (needs_plans && task.state != TaskState::kPending) || task.state == TaskState::kPausing ||
                          task.state == TaskState::kResuming;
  if (!needs_plans && !needs_rows) return view;
  // What the round has read of all tasks serves the first look; later ones want what has come of the one before.
  if (auto read = round.looks.extract(task.id)) {
    view.plans = std::move(read.mapped().plans);
    view.rows = read.mapped().rows;
  } else {
    // Plans before rows: rows that come in between belong to a plan that was not complete yet.
    if (needs_plans) view.plans = table_.getPlans(round.call(), task.id);
    if (needs_rows && task.step != proto::kStepInit) {
      view.rows = table_.probeSubtasks(round.call(), task.id, task.step);
    }
  }
  if (!needs_plans) return view;
  if (task.state == TaskState::kRunning && view.rows.failed) {
    table_.findFailedSubtask(round.call(), task.id, task.step, view.failed_subtask);
  }
  view.has_planner = round.placement.choosePlanner(task, round.open_plans, false).has_value();
  view.has_reverter = round.placement.choosePlanner(task, round.open_plans, true).has_value();
  view.why_no_planner =
      view.has_planner ? "no live node offers type '" + task.type + "'" : round.placement.whyNone(task);
  view.cleans_up = std::any_of(view.plans.begin(), view.plans.end(), [](const auto& plan) { return plan.cleans_up; });
  if (const auto open = findOpenPlan(view)) {
    // A plan leaves a draining node for another that fits; where there is none it stays.
    const bool leaves = round.placement.isDraining(open->planner) && view.has_planner;
    view.is_planner_alive = round.placement.canPlan(open->planner, task) && !leaves;
    ++round.open_plans[open->planner];
  }
  return view;
}

bool TaskScheduler::perform(Round& round, proto::TaskBase& task, const TaskView& view, const TaskDecision& decision) {
  switch (decision.action) {
    case TaskAction::kNone:
    case TaskAction::kWait:
      return false;
    case TaskAction::kCreatePlan:
      return createPlan(round, task, PlanKind::kStep);
    case TaskAction::kCreateRevertPlan:
      return !cancelStrays(round, task) && createPlan(round, task, PlanKind::kRevert);
    case TaskAction::kAssignPlan: {
      const auto planner = choosePlanner(round, task, decision.plan->kind);
      if (!planner) return false;
      table_.assignPlan(round.call(), round.owner, *decision.plan, *planner);
      log(Level::kInfo,
          "plan given to another node",
          {{"task_id", task.id},
           {"after_step", decision.plan->after_step},
           {"from", decision.plan->planner},
           {"to", *planner}});
      ++round.open_plans[*planner];
      round.nudge({*planner});
      return false;
    }
    case TaskAction::kBegin:
      return change(round, task, decision);
    case TaskAction::kSucceed:
      end(round, task, decision, view.cleans_up);
      return false;
    case TaskAction::kRevert:
      if (change(round, task, decision)) {
        round.nudge(concerned(round, task));  // they cancel what they run
      }
      // The planner may have entered a step since the task was read; no more can come now, and the next round reads the
      // row again.
      return false;
    case TaskAction::kAwaitResolution:
      change(round, task, decision);
      return false;
    case TaskAction::kPauseSubtasks:
      return table_.pausePendingSubtasks(round.call(), round.owner, task.id, kRowsPerWrite) > 0;
    case TaskAction::kPaused:
      change(round, task, decision);
      return false;
    case TaskAction::kResumeSubtasks:
      if (table_.resumePausedSubtasks(round.call(), round.owner, task.id, task.state, kRowsPerWrite) == 0) return false;
      round.nudge(concerned(round, task));
      return true;
    case TaskAction::kResumed:
      if (!change(round, task, decision)) return false;
      round.nudge(concerned(round, task));
      return true;
    case TaskAction::kModify:
      return modify(round, task);
    case TaskAction::kCancelSubtasks:
      return table_.cancelPendingSubtasks(round.call(), round.owner, task.id, kRowsPerWrite) > 0;
    case TaskAction::kReverted:
      if (!cancelStrays(round, task)) end(round, task, decision, view.cleans_up);
      return false;
  }
  return false;
}

bool TaskScheduler::modify(Round& round, proto::TaskBase& task) {
  const auto params = table_.getModification(round.call(), task.id);
  if (!params) return false;
  // Rows first: a task that is running again has no row with the old slots. All of it may be done twice.
  if (params->change.slots) {
    std::optional<std::int32_t> after = 0;
    while (after) {
      after =
          table_.modifySubtaskSlots(round.call(), round.owner, task.id, *params->change.slots, *after, kRowsPerWrite);
    }
  }
  if (!table_.finishModification(round.call(), round.owner, task.id, *params)) return false;
  log(Level::kInfo,
      "task changed its state",
      {{"task_id", task.id},
       {"task_key", task.key},
       {"event", toString(proto::TaskEvent::kModified)},
       {"from", toString(task.state)},
       {"to", toString(params->prev_state)}});
  round.nudge(live(round));  // each says when it has it
  return false;              // its columns are others now: the next round reads them
}

bool TaskScheduler::cancelStrays(Round& round, const proto::TaskBase& task) {
  if (table_.countActiveSubtasks(round.call(), task.id) == 0) return false;
  table_.cancelPendingSubtasks(round.call(), round.owner, task.id, kRowsPerWrite);
  return true;
}

bool TaskScheduler::createPlan(Round& round, const proto::TaskBase& task, PlanKind kind) {
  const auto planner = choosePlanner(round, task, kind);
  if (!planner) return false;
  storage::Plan plan;
  plan.task_id = task.id;
  plan.kind = kind;
  plan.after_step = task.step;
  plan.planner = *planner;
  table_.createPlan(round.call(), round.owner, plan);
  ++round.open_plans[*planner];
  round.nudge({*planner});
  return false;
}

bool TaskScheduler::change(
    Round& round, proto::TaskBase& task, const TaskDecision& decision, const std::optional<proto::ExecId>& clean_up_by
) {
  const auto event = eventOf(decision.action).value();
  storage::TaskChange change{task.state, event, std::nullopt, {}, clean_up_by};
  // An end keeps the error that the task has; what its hook met is for the event alone.
  if (event == proto::TaskEvent::kReverted) {
    change.note = decision.error;
  } else if (!decision.error.empty()) {
    change.error = decision.error;
  }
  if (!table_.changeTask(round.call(), round.owner, task.id, change)) return false;
  const auto to = targetOf(event);
  log(Level::kInfo,
      "task changed its state",
      {{"task_id", task.id},
       {"task_key", task.key},
       {"event", toString(event)},
       {"from", toString(task.state)},
       {"to", toString(to)},
       {"error", decision.error}});
  task.state = to;
  return true;
}

void TaskScheduler::end(Round& round, proto::TaskBase& task, const TaskDecision& decision, bool cleans_up) {
  if (!cleans_up) {
    change(round, task, decision);
    return;
  }
  // Without a node for it now the plan is nobody's, and CleanUps gives it away.
  const auto by = chooseHookNode(round, task, PlanKind::kCleanUp).value_or("");
  if (change(round, task, decision, by) && !by.empty()) round.nudge({by});
}

void TaskScheduler::noteWaiting(const proto::TaskBase& task, const TaskDecision& decision) {
  if (decision.action != TaskAction::kWait) {
    reasons_.erase(task.id);
    return;
  }
  auto& reason = reasons_[task.id];
  if (reason == decision.error) return;
  reason = decision.error;
  log(Level::kWarn, "task waits", {{"task_id", task.id}, {"task_key", task.key}, {"reason", reason}});
}

bool TaskScheduler::noteLooks(const proto::TaskBase& task, const TaskView& view) {
  std::string now(toString(view.state));
  now += ' ' + std::to_string(view.step.value());
  for (const bool flag : {view.rows.pending, view.rows.running, view.rows.paused, view.rows.failed})
    now += flag ? '1' : '0';
  for (const auto& plan : view.plans) {
    now += ' ' + std::to_string(plan.step.value_or(proto::kStepInit).value()) + (plan.complete ? 'c' : 'o');
  }
  auto& before = looks_[task.id];
  return std::exchange(before, now) != now;
}

void TaskScheduler::keepOnly(const std::set<proto::TaskId>& ids) {
  std::erase_if(reasons_, [&](const auto& entry) { return !ids.contains(entry.first); });
  std::erase_if(looks_, [&](const auto& entry) { return !ids.contains(entry.first); });
}

}  // namespace disttask::scheduler
