// What one poll of the Manager does (contract 4.2, stricter: design rules 8, 11, 12).
#include "disttask/observability/log_context.hpp"
#include "end_writer.hpp"
#include "manager_impl.hpp"

#include <algorithm>

namespace disttask::executor {

using observability::Level;
using proto::TaskState;
using runtime::CancelCause;

namespace {

/// True for an error that any other call may meet as well.
bool isStoreAway(const Error& error) noexcept {
  switch (error.code()) {
    case ErrorCode::kStoreUnavailable:
    case ErrorCode::kStoreReadOnly:
    case ErrorCode::kStoreTooMany:
    case ErrorCode::kStoreDiskFull:
    case ErrorCode::kTimedOut:
    case ErrorCode::kCancelled:
      return true;
    default:
      return false;
  }
}

}  // namespace

Duration Manager::Impl::pollByItself() {
  const auto base = node.live.taskCheckInterval();
  interval = poll(nullptr) ? base : std::min<Duration>(interval * 2, node.live.maxCheckInterval());
  return interval;
}

bool Manager::Impl::poll(const storage::NodePoll* seen) {
  const std::lock_guard polling(poll_mutex);
  {
    const std::lock_guard lock(mutex);
    if (!has_started || stopping) return false;
  }
  bool work = false;
  try {
    work = look(seen);
  } catch (...) {
    // One bad round must not end the loop.
    noteStoreError("poll of the tasks of this node failed", currentError(), nullptr);
    work = true;
  }
  ++num_polls;
  ++progress;
  const std::lock_guard lock(mutex);
  return work || !executors.empty();
}

storage::Call Manager::Impl::call() {
  ++progress;
  return node.call();
}

bool Manager::Impl::look(const storage::NodePoll* seen) {
  const bool unwritten = flushUnwrittenEnds(node, parts.table) > 0;
  ++progress;
  if (seen != nullptr) followModifications(seen->modifications);
  const bool is_behind = modifications != node.modifications;
  if (!parts.lease.mayStart()) return true;
  if (seen == nullptr || seen->meta_slots != node.slots.capacity()) {
    parts.table.recoverMeta(call(), node.settings.exec_id, node.live.scope(), node.slots.capacity());
    if (seen != nullptr && !seen->meta_slots) {
      // Beside a live TiDB its scheduler deletes rows of nodes that it does not know.
      ++node.counters.register_restored;
      observability::log(Level::kInfo, "this node's row of dist_framework_meta was gone and is back");
    }
  }
  std::vector<proto::TaskExecInfo> infos;
  if (seen == nullptr || seen->has_subtasks) {
    infos = parts.table.getTaskExecInfoByExecId(call(), node.settings.exec_id);
  }
  // Those with which the last poll was broken off may meet the same again: they come last.
  std::stable_partition(infos.begin(), infos.end(), [&](const auto& info) { return !troubled.contains(info.task.id); });
  troubled.clear();
  std::vector<proto::TaskBase> candidates;
  int num_away = 0;  // in a row
  for (const auto& info : infos) {
    if (isStopping()) return true;
    try {
      handleTask(info, candidates);
      num_away = 0;
    } catch (...) {
      const auto error = currentError();
      noteStoreError("task of this node could not be handled", error, &info.task);
      troubled.insert(info.task.id);
      // Each further one would wait for the store as long. The first one may have met what concerns it alone, such as a
      // row that somebody has locked.
      num_away = isStoreAway(error) ? num_away + 1 : 0;
      if (num_away == 2) break;
    }
  }
  std::stable_sort(candidates.begin(), candidates.end(), proto::outranks);
  const bool is_drained_by_wish = seen != nullptr && seen->wanted == proto::WantedState::kDraining;
  if (is_drained_by_wish || draining) {
    drainExecutors(is_drained_by_wish && seen->is_wish_due);
  } else {
    for (const auto& executor : all()) executor->goOn();
    handleCandidates(candidates);
  }
  return unwritten || is_behind || !infos.empty();
}

void Manager::Impl::followModifications(std::int64_t number) {
  const auto executors_now = all();
  if (number > node.modifications) {
    node.modifications = number;  // before they look
    for (const auto& executor : executors_now) executor->nudge();
  }
  auto applied = node.modifications.load();
  // Executors that begin later read their task later.
  for (const auto& executor : executors_now) applied = std::min(applied, executor->appliedModifications());
  if (applied <= modifications) return;
  modifications = applied;
  if (node.on_modified) node.on_modified();
}

void Manager::Impl::drainExecutors(bool due) {
  for (const auto& executor : all()) {
    executor->drain();
    if (due) executor->interrupt(CancelCause::kPreempted);
  }
  node.slots.setWaiting(true);  // nothing is borrowed any more
}

void Manager::Impl::handleTask(const proto::TaskExecInfo& info, std::vector<proto::TaskBase>& candidates) {
  const auto fields = observability::taskFields(info.task);
  const observability::LogContext context(fields);
  switch (info.task.state) {
    case TaskState::kRunning:
      if (isForeign(info.task)) break;
      takeOrphans(info.task);
      if (!find(info.task.id)) candidates.push_back(info.task);
      break;
    case TaskState::kPausing:
      handlePausing(info.task);
      break;
    case TaskState::kReverting:
      handleReverting(info.task);
      break;
    default:
      break;
  }
}

/// True for a task that others run: TiDB's own executor, or a node of ours with that plugin. Nothing of it is looked
/// at before this: it must take no slot, call nothing back and fail no row.
bool Manager::Impl::isForeign(const proto::TaskBase& task) {
  if (!node.settings.beside_dxf || parts.registry.find(task.type)) return false;
  ++node.counters.unknown_types;
  node.sampled.logFor(task.type, Level::kInfo, "task type is not offered here, task skipped", {{"type", task.type}});
  return true;
}

void Manager::Impl::handlePausing(const proto::TaskBase& task) {
  // Runs that may run again return and write `paused`; the others end by themselves (design rule 12). The table leaves
  // rows with a live run alone.
  if (const auto executor = find(task.id)) executor->interrupt(CancelCause::kTaskPaused);
  const auto paused = parts.table.pauseSubtasks(call(), node.settings.exec_id, task.id);
  node.counters.paused += paused;
  observability::log(Level::kDebug, "handle pausing task", {{"task_id", task.id}, {"subtasks", paused}});
}

void Manager::Impl::handleReverting(const proto::TaskBase& task) {
  if (const auto executor = find(task.id)) executor->cancelRunningSubtask();
  const auto canceled = parts.table.cancelSubtask(call(), node.settings.exec_id, task.id);
  node.counters.canceled += canceled;
  observability::log(Level::kDebug, "handle reverting task", {{"task_id", task.id}, {"subtasks", canceled}});
}

void Manager::Impl::takeOrphans(const proto::TaskBase& task) {
  const auto taken = parts.table.takeOrphans(call(), node.settings.exec_id, task.id, node.settings.max_abnormal_ends);
  bool is_type_to_say = false;
  for (const auto& [id, outcome] : taken) {
    is_type_to_say = is_type_to_say || outcome == storage::OrphanOutcome::kUnmarked;
    if (outcome == storage::OrphanOutcome::kLost || outcome == storage::OrphanOutcome::kUnmarked) continue;
    ++node.counters.orphans;
    const bool failed = outcome == storage::OrphanOutcome::kFailed;
    observability::log(
        failed ? Level::kError : Level::kWarn,
        failed ? "subtask was running with no run here and may not run again, it fails"
               : "subtask was running with no run here, it is pending again",
        {{"task_id", task.id}, {"subtask_id", id}}
    );
  }
  // A run that begins looks for them by itself.
  if (!is_type_to_say) return;
  if (const auto executor = find(task.id)) executor->nudge();
}

void Manager::Impl::handleCandidates(const std::vector<proto::TaskBase>& candidates) {
  bool waiting = false;
  for (const auto& candidate : candidates) {
    const auto [can, victims] = node.slots.canAlloc(candidate);
    if (!victims.empty()) {
      const auto fields = observability::taskFields(candidate);
      const observability::LogContext context(fields);
      // Again at each poll until they have ended, which may take long.
      node.sampled.logFor(
          candidate.key,
          Level::kInfo,
          "need to preempt tasks of low ranking",
          {{"task_id", candidate.id}, {"victims", victims.size()}}
      );
      for (const auto& victim : victims) {
        if (const auto executor = find(victim.id)) executor->interrupt(CancelCause::kPreempted);
      }
      waiting = true;
      break;  // no lower rank takes the slots that are about to be freed
    }
    if (!can) {
      waiting = true;
      continue;  // lower ranks may use what is left over
    }
    if (const auto lent = node.slots.lentInTheWay(candidate.slots); lent > 0) {
      waiting = true;
      recallBorrowed(candidate, lent);
      break;  // no lower rank takes the slots that are about to come back
    }
    try {
      const auto outcome = startTask(candidate);
      if (outcome == Start::kFailed) {
        waiting = true;
        break;
      }
    } catch (...) {
      noteStoreError("task executor could not be started", currentError(), &candidate);
      break;
    }
  }
  node.slots.setWaiting(waiting);
}

/// Gets `slots` back that lower ranks have borrowed; higher ones give theirs back when those runs end (design rule 18).
void Manager::Impl::recallBorrowed(const proto::TaskBase& candidate, std::int32_t slots) {
  node.slots.setWaiting(true);  // first: what comes back is not to be borrowed again
  for (const auto& holder : node.slots.holders()) {
    if (slots <= 0 || !proto::outranks(candidate, holder)) break;
    if (const auto executor = find(holder.id)) slots -= executor->recallBorrowed(slots);
  }
}

Manager::Impl::Start Manager::Impl::startTask(const proto::TaskBase& candidate) {
  const auto fields = observability::taskFields(candidate);
  const observability::LogContext context(fields);
  const auto task = parts.table.getTaskById(call(), candidate.id);
  if (!task || task->state != TaskState::kRunning) return Start::kSkipped;
  if (!node.slots.alloc(*task)) {
    observability::log(
        Level::kInfo,
        "alloc slots failed, maybe other task executor alloc more slots at runtime",
        {{"task_id", task->id}}
    );
    return Start::kFailed;
  }
  std::shared_ptr<TaskExecutor> executor;
  try {
    executor = makeExecutor(*task);
  } catch (...) {
    node.slots.free(task->id);
    throw;
  }
  {
    const std::lock_guard lock(mutex);
    if (!executor || stopping) {
      node.slots.free(task->id);
      return Start::kSkipped;
    }
    executors.emplace(task->id, executor);
    ++num_jobs;
  }
  const auto started = parts.work.run([this, executor, base = static_cast<const proto::TaskBase&>(*task)]() mutable {
    runTask(std::move(executor), base);
  });
  if (!started) {
    // All threads are busy: one is just ending, or executors hold them whose runs ignore their cancel.
    node.sampled.log(Level::kWarn, "no thread for a task executor, trying again", {{"task_id", task->id}});
    executor.reset();
    endTask(task->id);
    return Start::kFailed;
  }
  observability::log(
      Level::kInfo,
      "task executor started",
      {{"task_id", task->id},
       {"task_key", task->key},
       {"type", task->type},
       {"slots", task->slots},
       {"node_slots_left", node.slots.available()}}
  );
  return Start::kStarted;
}

std::unique_ptr<TaskExecutor> Manager::Impl::makeExecutor(const proto::Task& task) {
  const auto entry = parts.registry.find(task.type);
  std::unique_ptr<TaskExecutor> executor;
  try {
    if (!entry) throw Exception(ErrorCode::kNotFound, "task type " + task.type + " not found");
    executor = entry->factory({source.token(), node, entry->options}, node.settings.exec_id, task, parts.table);
    if (!executor) throw Exception(ErrorCode::kPluginFailed, "task type " + task.type + " made no task executor");
  } catch (...) {
    failTask(task, currentError());
    return nullptr;
  }
  try {
    executor->init(source.token());
    return executor;
  } catch (...) {
    const auto error = currentError();
    const bool retryable = error.reaction() == Reaction::kRetry || error.reaction() == Reaction::kBackOff ||
                           error.reaction() == Reaction::kReconnect || executor->isRetryableError(error);
    if (retryable) {
      node.sampled.logFor(
          task.key,
          Level::kWarn,
          "init of a task executor failed, trying again",
          {{"task_id", task.id}, {"error", error.message()}}
      );
    } else {
      failTask(task, error);
    }
    return nullptr;
  }
}

void Manager::Impl::failTask(const proto::Task& task, const Error& error) {
  observability::log(Level::kError, "task fails on this node", error, {{"task_id", task.id}, {"type", task.type}});
  const auto outcome = parts.table.failSubtask(call(), node.settings.exec_id, task.id, error);
  if (outcome == proto::TransitionOutcome::kApplied) ++node.counters.failed;
}

void Manager::Impl::runTask(std::shared_ptr<TaskExecutor> executor, const proto::TaskBase& task) {
  const auto fields = observability::taskFields(task);
  const observability::LogContext context(fields);
  try {
    executor->run(node.resourceOf(task));
    executor->close();
  } catch (...) {  // it promised not to; its slots must come back all the same
    observability::log(Level::kError, "task executor threw", currentError(), {{"task_id", task.id}});
  }
  executor.reset();
  observability::log(Level::kInfo, "task executor exit", {{"task_id", task.id}});
  endTask(task.id);
}

void Manager::Impl::endTask(proto::TaskId id) {
  std::shared_ptr<TaskExecutor> last;
  {
    const std::lock_guard lock(mutex);
    last = std::move(executors.at(id));
    executors.erase(id);
  }
  last.reset();
  node.slots.free(id);
  if (node.slots.isWaiting()) askForPoll();
  // Nothing of the Manager is touched after this: whoever waits may destroy it.
  const std::lock_guard lock(mutex);
  --num_jobs;
  changed.notify_all();
}

void Manager::Impl::noteStoreError(std::string_view what, const Error& error, const proto::TaskBase* task) {
  if (node.vanish.token().cancelled()) return;
  ++node.counters.store_errors;
  if (task == nullptr) {
    node.sampled.log(Level::kWarn, what, {{"error", error.message()}, {"code", toString(error.code())}});
    return;
  }
  const auto fields = observability::taskFields(*task);
  const observability::LogContext context(fields);
  node.sampled.log(
      Level::kWarn, what, {{"task_id", task->id}, {"error", error.message()}, {"code", toString(error.code())}}
  );
}

}  // namespace disttask::executor
