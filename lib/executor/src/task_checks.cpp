// The checks beside running subtasks, and what happens when the task is modified (contract 4.5 and 4.8).
#include "disttask/observability/log.hpp"
#include "task_run.hpp"

#include <algorithm>

namespace disttask::executor {

namespace {
using observability::Level;
using runtime::CancelCause;
}  // namespace

proto::StepResource TaskRun::resourceOf(const proto::TaskBase& task) const {
  return parts_.node.resourceOf(task);
}

TaskRun::Next TaskRun::adopt(const proto::Task& fresh) {
  const bool same_step = step_ && step_->step() == fresh.step;
  const bool busy = same_step && step_->numActive() > 0;
  auto next = task_;
  static_cast<proto::TaskBase&>(next) = static_cast<const proto::TaskBase&>(fresh);
  next.slots = task_.slots;

  if (fresh.slots != task_.slots) {
    if (adoptSlots(fresh, busy) == Next::kExit) {
      observability::log(
          Level::kInfo, "task slots modified, but not enough are free here, executor exit", {{"task_id", task_.id}}
      );
      draining_ = true;
      return Next::kGoOn;
    }
    next.slots = task_.slots;
  }
  if (fresh.priority != task_.priority) static_cast<void>(parts_.node.slots.exchange(next));  // as many always fit
  if (fresh.meta != task_.meta) {
    bool applied = true;
    if (same_step) {
      try {
        step_->executor().taskMetaModified(parts_.control.token(), fresh.meta);
      } catch (...) {
        applied = false;
        observability::log(
            Level::kWarn,
            "failed to apply task param modification",
            currentError(),
            {{"task_id", task_.id}, {"step", task_.step}}
        );
      }
    }
    if (!applied && !busy) {
      // Not stored: the next pass sees the change again, and a new step executor begins with it.
      endStep();
      return Next::kGoOn;
    }
    if (applied) next.meta = fresh.meta;
  }
  task_ = std::move(next);
  parts_.control.setTask(task_);
  return Next::kGoOn;
}

/// Takes the task's new slots, or leaves everything as it was. `notify`: subtasks run now, so the step executor is
/// told, and may refuse.
TaskRun::Next TaskRun::adoptSlots(const proto::Task& fresh, bool notify) {
  auto& slots = parts_.node.slots;
  const auto before = static_cast<const proto::TaskBase&>(task_);
  const auto resource = resourceOf(fresh);
  const auto tell = [&] {
    try {
      step_->executor().resourceModified(parts_.control.token(), resource);
      return true;
    } catch (...) {
      observability::log(
          Level::kWarn,
          "failed to apply task slots modification",
          currentError(),
          {{"task_id", task_.id}, {"slots", fresh.slots}}
      );
      return false;
    }
  };
  if (fresh.slots < task_.slots) {
    if (notify && !tell()) return Next::kGoOn;
    if (!slots.exchange(fresh)) return Next::kExit;
  } else {
    if (!slots.exchange(fresh)) return notify ? Next::kGoOn : Next::kExit;
    if (notify && !tell()) {
      if (!slots.exchange(before)) return Next::kExit;  // fewer always fit
      return Next::kGoOn;
    }
  }
  task_.slots = fresh.slots;
  resource_ = resource;
  if (step_) step_->executor().setResource(resource);
  observability::log(Level::kInfo, "task slots modification applied", {{"task_id", task_.id}, {"slots", fresh.slots}});
  return Next::kGoOn;
}

void TaskRun::checkRuns() {
  if (isVanished()) return;
  const bool ownership_due = now() >= next_ownership_;
  const bool summary_due = now() >= next_summary_;
  if (!ownership_due && !summary_due) return;
  const auto runs = step_->runs();
  if (ownership_due) {
    next_ownership_ = now() + parts_.node.settings.ownership_check_interval;
    if (!runs.empty()) checkOwnership(runs);
    reportStuck(runs);
  }
  if (summary_due) {
    next_summary_ = now() + parts_.node.settings.summary_interval;
    writeSummaries(runs);
    for (const auto& run : runs) run->keepLog(/*ordinary=*/false);
  }
}

void TaskRun::checkOwnership(const std::vector<std::shared_ptr<SubtaskRun>>& runs) {
  std::vector<proto::SubtaskId> ids;
  ids.reserve(runs.size());
  for (const auto& run : runs) ids.push_back(run->id());
  try {
    for (const auto id : parts_.table.findLostRuns(parts_.node.call(), parts_.node.settings.exec_id, ids)) {
      // A run that has just returned has left its row by itself: then there is nothing to cancel.
      const auto still = step_->runs();
      if (std::none_of(still.begin(), still.end(), [&](const auto& run) { return run->id() == id; })) continue;
      ++parts_.node.counters.moved_away;
      observability::log(
          Level::kInfo, "subtask is scheduled away, cancel running", {{"task_id", task_.id}, {"subtask_id", id}}
      );
      step_->interruptRun(id, CancelCause::kSubtaskMoved);
    }
  } catch (...) {
    noteStoreError("ownership of running subtasks could not be checked", currentError());
  }
}

void TaskRun::takeUnmarked() {
  if (!parts_.node.lease.mayStart()) return;
  const auto& exec_id = parts_.node.settings.exec_id;
  try {
    for (auto& row : parts_.table.getSubtasksByExecIdAndStepAndStates(
             parts_.node.call(), exec_id, task_.id, task_.step, {proto::SubtaskState::kRunning}
         )) {
      if (row.token != proto::RunToken()) continue;
      row.type = task_.type;
      const auto outcome = parts_.table.takeUnmarked(parts_.node.call(), row, isIdempotent(parts_.type, row));
      if (outcome == storage::OrphanOutcome::kLost) continue;
      ++parts_.node.counters.orphans;
      const bool failed = outcome == storage::OrphanOutcome::kFailed;
      observability::log(
          failed ? Level::kError : Level::kWarn,
          failed ? "subtask was begun by TiDB's own executor and may not run again, it fails"
                 : "subtask was begun by TiDB's own executor, it is pending again",
          {{"task_id", task_.id}, {"subtask_id", row.id}}
      );
    }
    may_be_unmarked_ = false;
  } catch (...) {
    noteStoreError("subtasks that TiDB's own executor began could not be taken", currentError());
  }
}

void TaskRun::writeSummaries(const std::vector<std::shared_ptr<SubtaskRun>>& runs) {
  for (const auto& run : runs) {
    std::optional<proto::SubtaskSummary> summary;
    run->whileRunning([&] {
      try {
        summary = step_->executor().realtimeSummary(*run);
      } catch (...) {
        observability::log(Level::kWarn, "summary of a subtask failed", currentError(), {{"subtask_id", run->id()}});
      }
    });
    if (!summary) continue;
    auto text = proto::toJson(*summary);
    if (text == run->last_summary) continue;
    try {
      const auto outcome =
          parts_.table.updateSubtaskSummary(parts_.node.call(), parts_.node.settings.exec_id, run->id(), text);
      if (outcome == proto::TransitionOutcome::kApplied) run->last_summary = std::move(text);
    } catch (...) {
      noteStoreError("summary of a subtask could not be written", currentError());
      return;  // the next ones would meet the same store
    }
  }
}

void TaskRun::reportStuck(const std::vector<std::shared_ptr<SubtaskRun>>& runs) {
  for (const auto& run : runs) {
    const auto since = run->cancelledAt();
    if (!since || now() - *since < parts_.node.settings.stuck_after || !run->claimStuckReport()) continue;
    ++parts_.node.counters.ignored_cancels;
    observability::log(
        Level::kWarn,
        "subtask run ignores its cancel and keeps its slot",
        {{"task_id", task_.id},
         {"subtask_id", run->id()},
         {"type", task_.type},
         {"cause", toString(run->token().cause())}}
    );
  }
}

}  // namespace disttask::executor
