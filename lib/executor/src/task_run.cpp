// The coordinator's loop: the task row, the step executor, the queue. task_checks.cpp has the checks beside running
// subtasks.
#include "task_run.hpp"

#include "disttask/observability/log_context.hpp"

#include <algorithm>

namespace disttask::executor {

namespace {
using observability::Level;
using proto::SubtaskState;
using proto::TaskState;
using runtime::CancelCause;
// A queue that runs dry again and again is looked after at most this often.
constexpr Duration kMinFetchGap = std::chrono::milliseconds(5);
// Rows that came back below the bound (retried, given back, moved here) are looked for this often while there are
// others.
constexpr Duration kFullLookInterval = std::chrono::seconds(5);
}  // namespace

TaskRun::TaskRun(const TaskParts& parts, proto::Task task, const proto::StepResource& resource)
    : parts_(parts), task_(std::move(task)), resource_(resource), interval_(parts.node.live.subtaskCheckInterval()) {
  const auto at = now();
  last_busy_ = next_refresh_ = next_fetch_ = at;
  next_params_ = at + parts_.node.settings.param_check_interval;
  may_be_unmarked_ = parts_.node.settings.beside_dxf;
}

void TaskRun::run() {
  try {
    for (auto next = Next::kGoOn; next == Next::kGoOn;) {
      const auto fields = observability::taskFields(task_);  // anew: steps come and go
      const observability::LogContext context(fields);
      next = pass();
      if (next == Next::kGoOn) waitForNext();
    }
  } catch (...) {
    const auto error = currentError();
    const auto fields = observability::taskFields(task_);
    const observability::LogContext context(fields);
    observability::log(Level::kError, "run of a task broke off, one subtask fails", error, {{"task_id", task_.id}});
    if (step_) step_->interrupt(CancelCause::kTaskGone);
    failOne(error);
  }
  endStep();
}

TaskRun::Next TaskRun::pass() {
  if (parts_.control.isInterrupted()) draining_ = true;
  if (std::exchange(rests_, parts_.control.isDraining()) && !rests_) {
    if (step_) step_->goOn();
    after_ordinal_ = 0;
    next_refresh_ = next_fetch_ = now();
  }
  const bool nudged = parts_.control.takeNudge();
  if (nudged) {
    interval_ = parts_.node.live.subtaskCheckInterval();
    next_refresh_ = next_fetch_ = now();
    may_be_unmarked_ = parts_.node.settings.beside_dxf;
  }
  if (!draining_ && now() >= next_refresh_ && refresh() == Next::kExit) return Next::kExit;
  if (draining_) acknowledge();
  // While others run here their slots are held anyway, and the trouble may pass.
  if (step_ && step_->hasTrouble() && step_->numActive() == 0 && !draining_) {
    observability::log(
        Level::kWarn, "no subtask can be started now, the task gives its slots up", {{"task_id", task_.id}}
    );
    draining_ = true;
  }
  const bool ends = draining_ || rests_;
  if (ends && step_) step_->drain();
  if (!ends && may_be_unmarked_) takeUnmarked();
  if (!ends && fetch() == Next::kExit) return Next::kExit;
  if (step_) {
    step_->kick();
    checkRuns();
  }
  const bool busy = step_ && (step_->numQueued() > 0 || step_->numActive() > 0);
  if (draining_ || rests_) return busy ? Next::kGoOn : Next::kExit;
  if (busy) {
    last_busy_ = now();
  } else if (now() - last_busy_ >= parts_.node.settings.idle_exit) {
    observability::log(Level::kDebug, "no subtask to run for a while, exit", {{"task_id", task_.id}});
    return Next::kExit;
  }
  return Next::kGoOn;
}

void TaskRun::waitForNext() {
  auto due = now() + parts_.node.live.maxCheckInterval();
  const auto consider = [&](runtime::TimePoint at) { due = std::min(due, at); };
  if (!draining_) {
    consider(next_refresh_);
    if (!rests_ && (!step_ || step_->isLow())) consider(next_fetch_);
  } else if (isBehind() && !isVanished()) {
    consider(next_refresh_);
  }
  if (step_ && step_->numActive() > 0 && !isVanished()) {
    consider(next_ownership_);
    consider(next_summary_);
  }
  const auto wait = due - now();
  if (wait > Duration::zero()) parts_.control.wakeup().waitFor({}, wait);
}

TaskRun::Next TaskRun::refresh() {
  const bool busy = step_ && step_->numActive() > 0;
  next_refresh_ = now() + (busy ? parts_.node.live.maxCheckInterval() : interval_);
  if (std::exchange(first_pass_, false)) {
    // The Manager has just read it.
    follow(task_.state);
    return draining_ ? Next::kExit : Next::kGoOn;
  }
  std::optional<proto::Task> fresh;
  // Before the look: what is modified later is not in it.
  const auto modifications = parts_.node.modifications.load();
  const bool was_modified = modifications > parts_.control.appliedModifications();
  try {
    const auto base = parts_.table.getTaskBaseById(parts_.node.call(), task_.id);
    const bool differs = base && (base->step != task_.step || base->slots != task_.slots || base->extra != task_.extra);
    if (base && (differs || was_modified || now() >= next_params_)) {
      next_params_ = now() + parts_.node.settings.param_check_interval;
      fresh = parts_.table.getTaskById(parts_.node.call(), task_.id);
    } else if (base) {
      fresh = task_;
      static_cast<proto::TaskBase&>(*fresh) = *base;
    }
    store_fails_since_.reset();
  } catch (...) {
    noteStoreError("task could not be read", currentError());
    return Next::kGoOn;
  }
  if (!fresh) {
    if (step_) step_->interrupt(CancelCause::kTaskGone);
    draining_ = true;
    return Next::kGoOn;
  }
  const auto state = fresh->state;
  if (state == TaskState::kRunning || state == TaskState::kModifying) {
    const auto next = adopt(*fresh);
    // What the step executor refused is asked of it again at the next look.
    if (was_modified && task_.slots == fresh->slots && task_.meta == fresh->meta) {
      parts_.control.setAppliedModifications(modifications);
    }
    return next;
  }
  follow(state);
  return Next::kGoOn;
}

bool TaskRun::isBehind() const {
  return parts_.node.modifications > parts_.control.appliedModifications();
}

void TaskRun::acknowledge() {
  if (!isBehind() || now() < next_refresh_ || isVanished()) return;
  next_refresh_ = now() + parts_.node.live.maxCheckInterval();
  // Before the look: what is modified later is not in it.
  const auto modifications = parts_.node.modifications.load();
  try {
    const auto fresh = parts_.table.getTaskById(parts_.node.call(), task_.id);
    if (!fresh || (fresh->slots == task_.slots && fresh->meta == task_.meta)) {
      parts_.control.setAppliedModifications(modifications);
    }
  } catch (...) {
    noteStoreError("task could not be read", currentError());
  }
}

void TaskRun::follow(TaskState state) {
  if (state == TaskState::kRunning || state == TaskState::kModifying) return;
  draining_ = true;
  task_.state = state;
  parts_.control.setTask(task_);
  if (!step_) return;
  if (state == TaskState::kReverting) {
    step_->interrupt(CancelCause::kCancelSubtask);
  } else if (state == TaskState::kPausing) {
    step_->interrupt(CancelCause::kTaskPaused);
  } else if (proto::isDone(state)) {
    step_->interrupt(CancelCause::kTaskGone);
  }
}

bool TaskRun::makeStep() {
  std::unique_ptr<plugin::StepExecutor> executor;
  try {
    executor = parts_.type.getStepExecutor(task_);
    if (!executor) throw Exception(ErrorCode::kPluginFailed, "task type gave no step executor");
  } catch (...) {
    failOne(currentError().addContext("step executor of task type '" + task_.type + "'"));
    return false;
  }
  // A limit on runtime slots may hold for some steps only.
  if (!task_.extra.target_steps.empty()) resource_ = resourceOf(task_);
  executor->setFrameworkInfo(task_.step, resource_);
  try {
    executor->init(parts_.control.token());
  } catch (...) {
    const auto error = currentError();
    if (isRetryable(error)) {
      parts_.node.sampled.log(
          Level::kWarn,
          "init of a step failed, trying again",
          {{"task_id", task_.id}, {"step", task_.step}, {"error", error.message()}}
      );
    } else {
      failOne(error);
    }
    return false;
  }
  const StepParts parts{parts_.node, parts_.table, parts_.type, parts_.options, parts_.control.wakeup()};
  step_ = std::make_shared<StepRun>(
      parts, task_, std::move(executor), decideParallel(parts_.options, task_, parts_.node.slots.capacity())
  );
  after_ordinal_ = 0;
  next_ownership_ = now() + parts_.node.settings.ownership_check_interval;
  next_summary_ = now() + parts_.node.settings.summary_interval;
  progress_at_fetch_ = 0;
  if (parts_.control.enterStep(step_)) {
    observability::log(
        Level::kInfo,
        "execute task step",
        {{"task_id", task_.id}, {"type", task_.type}, {"step", task_.step}, {"parallel", step_->parallel().runs}}
    );
    return true;
  }
  endStep();
  draining_ = true;
  return false;
}

void TaskRun::clearQueue() {
  if (step_) step_->clearQueue();
  after_ordinal_ = 0;
}

void TaskRun::endStep() {
  after_ordinal_ = 0;
  if (!step_) return;
  step_->close();
  parts_.control.leaveStep();
  try {
    step_->executor().cleanup(parts_.control.token());
  } catch (...) {
    observability::log(
        Level::kWarn, "cleanup of a step failed", currentError(), {{"task_id", task_.id}, {"step", step_->step()}}
    );
  }
  step_.reset();
}

void TaskRun::failOne(const Error& error) {
  observability::log(
      Level::kError,
      "task fails on this node",
      error,
      {{"task_id", task_.id}, {"type", task_.type}, {"step", task_.step}}
  );
  try {
    const auto outcome = parts_.table.failSubtask(parts_.node.call(), parts_.node.settings.exec_id, task_.id, error);
    if (outcome == proto::TransitionOutcome::kApplied) ++parts_.node.counters.failed;
  } catch (...) {
    noteStoreError("failure of a task could not be written", currentError());
  }
}

TaskRun::Next TaskRun::fetch() {
  if (step_ && step_->step() != task_.step) {
    // Its subtasks are all done, else the task would not have left the step; a run that still ends is waited for.
    step_->drain();
    if (step_->numActive() > 0) return Next::kGoOn;
    endStep();
  }
  if (!parts_.node.lease.mayStart()) {
    clearQueue();
    next_fetch_ = now() + interval_;
    return Next::kGoOn;
  }
  if (step_ && step_->isDraining()) {
    // After cancelRunningSubtask no further subtask is run by that step executor; the task row will say why.
    next_fetch_ = now() + interval_;
    return Next::kGoOn;
  }
  if (step_ && !step_->isLow()) return Next::kGoOn;
  const bool dry = !step_ || (step_->numQueued() == 0 && step_->numActive() == 0);
  // A queue that ran dry is filled at once, if what was in it did begin; else the same rows would come again and again.
  const bool at_once = step_ && step_->progress() > progress_at_fetch_ && (dry || !fetched_all_);
  if (now() < (at_once ? last_fetch_ + kMinFetchGap : next_fetch_)) {
    if (at_once) next_fetch_ = last_fetch_ + kMinFetchGap;
    return Next::kGoOn;
  }
  if (at_once) interval_ = parts_.node.live.subtaskCheckInterval();
  last_fetch_ = now();

  std::vector<proto::Subtask> rows;
  progress_at_fetch_ = step_ ? step_->progress() : 0;
  try {
    rows = readPending();
  } catch (...) {
    noteStoreError("subtasks could not be read", currentError());
    next_fetch_ = now() + interval_;
    return Next::kGoOn;
  }
  std::size_t num_new = 0;
  if (!rows.empty() && (step_ || makeStep())) num_new = step_->offer(std::move(rows), !fetched_all_);
  if (num_new > 0) {
    dry_told_ = false;
    last_busy_ = now();  // a quick subtask may be over before anyone sees it run
    interval_ = parts_.node.live.subtaskCheckInterval();
    next_fetch_ = now() + interval_;
    return Next::kGoOn;
  }
  if (dry && !dry_told_) {
    dry_told_ = true;
    if (parts_.node.on_queue_dry) parts_.node.on_queue_dry(task_.id);
  }
  next_fetch_ = next_refresh_ = now() + interval_;
  interval_ = std::min<Duration>(interval_ * 2, parts_.node.live.maxCheckInterval());
  return Next::kGoOn;
}

storage::PickLimits TaskRun::limitsOfFetch() const {
  const auto& settings = parts_.node.settings;
  const auto runs = decideParallel(parts_.options, task_, parts_.node.slots.capacity()).runs;
  const auto queued = step_ ? static_cast<std::int64_t>(step_->numQueued()) : 0;
  const auto bytes_left = std::max<std::int64_t>(settings.prefetch_bytes - (step_ ? step_->numQueuedBytes() : 0), 1);
  // A first look stays small until sizes are known.
  auto rows = std::int64_t{2} * runs + 8;
  if (mean_meta_bytes_ > 0) {
    const auto most = std::max<std::int64_t>(settings.prefetch_rows - queued, runs + 1);
    rows = std::clamp<std::int64_t>(bytes_left / mean_meta_bytes_, runs + 1, most);
  }
  storage::PickLimits limits;
  // Whatever the metas are, what is read stays below the bound: larger ones than their share are read at their start.
  limits.max_meta_bytes = std::max<std::int64_t>(bytes_left / rows, 1024);
  limits.after_ordinal = now() < next_full_look_ ? after_ordinal_ : 0;
  // Without the bound, rows that are queued or being started come again, so ask for more than those.
  if (limits.after_ordinal == 0 && step_) rows += queued + static_cast<std::int64_t>(step_->numActive());
  limits.rows = static_cast<std::int32_t>(rows);
  return limits;
}

std::vector<proto::Subtask> TaskRun::readPending() {
  auto limits = limitsOfFetch();
  const auto look = [&] {
    if (limits.after_ordinal == 0) next_full_look_ = now() + kFullLookInterval;
    return parts_.table.getSubtasksByExecIdAndStepAndStates(
        parts_.node.call(), parts_.node.settings.exec_id, task_.id, task_.step, {SubtaskState::kPending}, limits
    );
  };
  auto rows = look();
  if (rows.empty() && limits.after_ordinal > 0) {
    after_ordinal_ = 0;
    limits = limitsOfFetch();
    rows = look();
  }
  store_fails_since_.reset();
  fetched_all_ = limits.after_ordinal == 0 && static_cast<std::int32_t>(rows.size()) < limits.rows;
  if (!rows.empty()) {
    std::int64_t bytes = 0;
    for (const auto& row : rows) bytes += static_cast<std::int64_t>(row.meta.size()) + row.left_out_bytes;
    mean_meta_bytes_ = std::max<std::int64_t>(1, bytes / static_cast<std::int64_t>(rows.size()));
    after_ordinal_ = std::max(after_ordinal_, rows.back().ordinal);
  }
  return rows;
}

bool TaskRun::isRetryable(const Error& error) {
  if (error.reaction() == Reaction::kRetry || error.reaction() == Reaction::kBackOff ||
      error.reaction() == Reaction::kReconnect) {
    return true;
  }
  try {
    return parts_.type.isRetryableError(error);
  } catch (...) {
    return false;
  }
}

void TaskRun::noteStoreError(std::string_view what, const Error& error) {
  if (isVanished()) return;
  ++parts_.node.counters.store_errors;
  parts_.node.sampled.log(
      Level::kWarn, what, {{"task_id", task_.id}, {"error", error.message()}, {"code", toString(error.code())}}
  );
  // With nothing running here the slots are better given up while the store is away (contract 9, line 9).
  if (!store_fails_since_) store_fails_since_ = now();
  const bool idle = !step_ || step_->numActive() == 0;
  if (idle && now() - *store_fails_since_ >= parts_.node.settings.retry_window) draining_ = true;
}

}  // namespace disttask::executor
