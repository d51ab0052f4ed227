// The queue and the runner threads of a step; subtask_runner.cpp has what a runner does with one subtask.
#include "step_run.hpp"

#include "disttask/observability/log.hpp"

#include <algorithm>

namespace disttask::executor {

Parallel decideParallel(const plugin::TaskTypeOptions& options, const proto::TaskBase& task, std::int32_t node_slots) {
  const auto numOf = [&](std::int32_t wanted) {
    return std::max(1, wanted > 0 ? wanted : node_slots / std::max(1, task.slots));
  };
  const auto by_default = numOf(options.parallel_subtasks);
  if (!task.extra.parallel_subtasks) return {by_default, options.parallel_subtasks <= 0};
  // What the type does by default it always allows.
  auto runs = numOf(*task.extra.parallel_subtasks);
  if (options.max_parallel_subtasks > 0) runs = std::min(runs, std::max(by_default, options.max_parallel_subtasks));
  return {runs, *task.extra.parallel_subtasks <= 0};
}

StepRun::StepRun(
    const StepParts& parts,
    const proto::TaskBase& task,
    std::unique_ptr<plugin::StepExecutor> executor,
    Parallel parallel
)
    : parts_(parts), task_(task), executor_(std::move(executor)), parallel_(parallel) {}

std::size_t StepRun::offer(std::vector<proto::Subtask> rows) {
  std::size_t num_new = 0;
  for (auto& row : rows) {
    row.type = task_.type;
    const bool idempotent = isIdempotent(row);
    const std::lock_guard lock(mutex_);
    if (!taking_ || !known_.insert(row.id).second) continue;
    queue_.push_back({std::move(row), idempotent});
    ++num_new;
  }
  std::int32_t num_wanted = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto waiting = static_cast<std::int64_t>(queue_.size()) - num_idle_;
    if (waiting > 0) {
      num_wanted = static_cast<std::int32_t>(std::min<std::int64_t>(waiting, parallel_.runs - num_runners_));
    }
  }
  for (; num_wanted > 0; --num_wanted) addRunner();
  changed_.notify_all();
  return num_new;
}

void StepRun::addRunner() {
  std::int32_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    index = num_runners_++;
  }
  try {
    const auto name = "run-" + std::to_string(task_.id.value()) + "-" + std::to_string(index);
    runners_.spawn(name, [this, index] { runnerLoop(index); });
  } catch (...) {
    observability::log(
        observability::Level::kWarn,
        "no thread for a further subtask at a time",
        currentError(),
        {{"task_id", task_.id}}
    );
    const std::lock_guard lock(mutex_);
    if (--num_runners_ == 0) trouble_ = true;  // not one: give the slots up and come again
  }
}

void StepRun::clearQueue() {
  const std::lock_guard lock(mutex_);
  for (const auto& item : queue_) known_.erase(item.row.id);
  queue_.clear();
}

void StepRun::drain() {
  {
    const std::lock_guard lock(mutex_);
    taking_ = false;
  }
  clearQueue();
}

void StepRun::interrupt(runtime::CancelCause cause) {
  std::vector<std::shared_ptr<SubtaskRun>> live;
  {
    const std::lock_guard lock(mutex_);
    taking_ = false;
    cause_ = cause;
    for (const auto& [id, run] : runs_) live.push_back(run);
  }
  clearQueue();
  // Outside of the lock: what plugin code hangs on its token runs here.
  step_source_.cancel(cause);
  for (const auto& run : live) run->interrupt(cause);
  parts_.coordinator.notify();
}

void StepRun::interruptRun(proto::SubtaskId id, runtime::CancelCause cause) {
  std::shared_ptr<SubtaskRun> run;
  {
    const std::lock_guard lock(mutex_);
    const auto at = runs_.find(id);
    if (at == runs_.end()) return;
    run = at->second;
  }
  run->interrupt(cause);
}

void StepRun::kick() {
  changed_.notify_all();
}

void StepRun::close() {
  drain();
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  runners_.join();
}

std::size_t StepRun::numQueued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

std::size_t StepRun::numActive() const {
  const std::lock_guard lock(mutex_);
  return known_.size() - queue_.size();
}

bool StepRun::isLow() const {
  const std::lock_guard lock(mutex_);
  return taking_ && queue_.size() < static_cast<std::size_t>(parallel_.runs);
}

bool StepRun::isDraining() const {
  const std::lock_guard lock(mutex_);
  return !taking_;
}

bool StepRun::hasTrouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

std::vector<std::shared_ptr<SubtaskRun>> StepRun::runs() const {
  std::vector<std::shared_ptr<SubtaskRun>> live;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, run] : runs_) live.push_back(run);
  return live;
}

void StepRun::runnerLoop(std::int32_t index) {
  while (auto item = take(index)) {
    const auto id = item->row.id;
    runItem(std::move(*item));
    if (index > 0 && parallel_.borrows) parts_.node.slots.returnBorrowed(task_.slots);
    {
      const std::lock_guard lock(mutex_);
      known_.erase(id);
    }
    parts_.coordinator.notify();
  }
}

std::optional<StepRun::Item> StepRun::take(std::int32_t index) {
  std::unique_lock lock(mutex_);
  ++num_idle_;
  for (;;) {
    if (closed_) {
      --num_idle_;
      return std::nullopt;
    }
    // Only the first runner has slots that the task holds; what may not run twice never runs on borrowed ones (design
    // rule 12).
    const auto at =
        std::find_if(queue_.begin(), queue_.end(), [&](const Item& item) { return index == 0 || item.idempotent; });
    if (taking_ && at != queue_.end()) {
      if (index == 0 || !parallel_.borrows || parts_.node.slots.tryBorrow(task_.slots)) {
        auto item = std::move(*at);
        queue_.erase(at);
        --num_idle_;
        const bool low = queue_.size() + 1 == static_cast<std::size_t>(parallel_.runs);
        lock.unlock();
        if (low) parts_.coordinator.notify();
        return item;
      }
    }
    changed_.wait(lock);
  }
}

bool StepRun::isIdempotent(const proto::Subtask& row) noexcept {
  try {
    return parts_.type.isIdempotent(row);
  } catch (...) {
    observability::log(
        observability::Level::kWarn,
        "task type could not say whether a subtask is idempotent, taken as not",
        currentError(),
        {{"subtask_id", row.id}, {"type", task_.type}}
    );
    return false;
  }
}

}  // namespace disttask::executor
