// The queue and the threads of a step; step_writes.cpp has the starts and finishes, subtask_runner.cpp what is done
// with one subtask.
#include "step_run.hpp"

#include "disttask/observability/log.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace disttask::executor {

namespace {

// A run of which a second thread need not take the next over: waking it takes longer.
constexpr std::int64_t kTinyRunNs = 10'000;
// A run whose end the next write may wait for, and how long.
constexpr std::int64_t kQuickRunNs = 50'000;
constexpr std::int64_t kMaxAwaitNs = 20'000;

/// The real time of this host, whatever the node's clock says: it bounds waits of microseconds.
std::int64_t steadyNs() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace

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
    : parts_(parts),
      task_(task),
      log_fields_(observability::taskFields(task)),
      executor_(std::move(executor)),
      parallel_(parallel) {}

std::size_t StepRun::offer(std::vector<proto::Subtask> rows, bool more) {
  std::vector<Item> items;
  items.reserve(rows.size());
  for (auto& row : rows) {
    row.type = task_.type;
    const bool idempotent = isIdempotent(parts_.type, row);
    auto& item = items.emplace_back();
    item.row = std::move(row);
    item.idempotent = idempotent;
  }
  std::size_t num_new = 0;
  std::int32_t num_wanted = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!taking_) return 0;
    for (auto& item : items) {
      if (!known_.insert(item.row.id).second) continue;
      queued_bytes_ += static_cast<std::int64_t>(item.row.meta.size());
      queue_.push_back(std::move(item));
      ++num_new;
    }
    const auto runs = static_cast<std::size_t>(parallel_.runs);
    low_mark_ = more ? std::max(runs, queue_.size() / 2) : runs;
    const auto waiting = static_cast<std::int64_t>(queue_.size()) - num_idle_ - num_free_;
    if (waiting > 0) {
      num_wanted = static_cast<std::int32_t>(std::min<std::int64_t>(waiting, parallel_.runs - num_runners_));
    }
  }
  for (; num_wanted > 0; --num_wanted) addRunner();
  kick();
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
    runners_.spawn(name, [this] { runnerLoop(); });
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

void StepRun::runnerLoop() {
  const observability::LogContext context(log_fields_);
  std::unique_lock lock(mutex_);
  ++num_free_;
  for (;;) {
    if (doNext(lock)) continue;
    if (closed_ && known_.empty()) break;
    --num_free_;
    ++num_idle_;
    changed_.wait(lock, [this] { return waking_ || (closed_ && known_.empty()); });
    waking_ = false;
    --num_idle_;
    ++num_free_;
    lock.unlock();
    standBy();
    lock.lock();
  }
  --num_free_;
}

/// Does one piece of work; false when there is none. Ends come first: an end that waits keeps a row running; then what
/// is confirmed, so that it does begin; sending comes last, so that the batch has grown meanwhile. But an end that is
/// written alone takes a thread and may have no place any more: then nobody may be left to send once the last free
/// thread is busy with what may take hours, so that one sends first.
bool StepRun::doNext(std::unique_lock<std::mutex>& lock) {
  const auto leave = [&](auto&& work) {
    --num_free_;
    wakeOneLocked();  // for what is left
    lock.unlock();
    work();
    lock.lock();
    ++num_free_;
    return true;
  };
  const auto takeFront = [](auto& list) {
    auto front = std::move(list.front());
    list.pop_front();
    return front;
  };
  const auto drive = [&] {
    // Before the look at the queue: what is submitted after it is somebody's to come for.
    must_drive_ = false;
    parts_.node.writer.drive();
    lock.lock();
    return true;
  };
  if (must_drive_ && num_free_ == 1 && num_idle_ == 0 && (num_writing_alone_ > 0 || !ends_alone_.empty())) {
    lock.unlock();
    return drive();
  }
  if (!ends_alone_.empty()) {
    ++num_writing_alone_;
    leave([this, end = takeFront(ends_alone_)]() mutable { writeAlone(std::move(end)); });
    --num_writing_alone_;
    return true;
  }
  if (!ready_.empty()) {
    const auto began = steadyNs();
    ++num_in_runs_;
    last_run_began_ns_ = began;
    return leave([this, began, item = takeFront(ready_)]() mutable {
      runReady(std::move(item));
      last_run_took_ns_ = steadyNs() - began;
      --num_in_runs_;
    });
  }
  if (!starts_alone_.empty()) {
    return leave([this, item = takeFront(starts_alone_)]() mutable { startAlone(std::move(item)); });
  }
  if (startMore(lock)) return true;
  if (!must_drive_) return false;
  lock.unlock();
  awaitQuickRuns();
  return drive();
}

/// A thread that was woken beside another one, which does a row of tiny runs, only looks on: it would wake a third one,
/// and they all would wait for each other. It takes over as soon as a run goes on for longer than that.
void StepRun::standBy() const noexcept {
  while (last_run_took_ns_ < kTinyRunNs && steadyNs() - last_run_began_ns_ < kTinyRunNs) std::this_thread::yield();
}

/// Lets runs of other threads that are about to end put their finish into the write that is sent next: a thread that
/// was woken for a row of quick runs is a few microseconds behind. Only beside a run that has just begun, where the
/// last one was over at once, and for no longer than kMaxAwaitNs.
void StepRun::awaitQuickRuns() const noexcept {
  const auto until = steadyNs() + kMaxAwaitNs;
  while (num_in_runs_ > 0 && last_run_took_ns_ < kQuickRunNs) {
    const auto now = steadyNs();
    if (now >= until || now - last_run_began_ns_ >= kQuickRunNs) return;
    std::this_thread::yield();
  }
}

bool StepRun::hasWorkLocked() const {
  if (!ends_alone_.empty() || !ready_.empty() || !starts_alone_.empty() || must_drive_) return true;
  return taking_ && !queue_.empty() && num_places_taken_ < num_runners_;
}

/// Somebody must be on the way to whatever can be done; one thread after the other, so that the first ones can do it
/// all when it is quick.
void StepRun::wakeOneLocked() {
  if (num_free_ > 0 || waking_ || num_idle_ == 0 || !hasWorkLocked()) return;
  waking_ = true;
  changed_.notify_one();
}

void StepRun::kick() {
  const std::lock_guard lock(mutex_);
  wakeOneLocked();
}

void StepRun::dropQueueLocked() {
  for (const auto& item : queue_) known_.erase(item.row.id);
  queue_.clear();
  queued_bytes_ = 0;
  if (closed_ && known_.empty()) changed_.notify_all();
}

void StepRun::clearQueue() {
  const std::lock_guard lock(mutex_);
  dropQueueLocked();
}

void StepRun::drain() {
  const std::lock_guard lock(mutex_);
  taking_ = false;
  dropQueueLocked();
}

void StepRun::goOn() {
  const std::lock_guard lock(mutex_);
  if (!closed_ && !cause_) taking_ = true;
}

void StepRun::interrupt(runtime::CancelCause cause) {
  std::vector<std::shared_ptr<SubtaskRun>> live;
  {
    const std::lock_guard lock(mutex_);
    taking_ = false;
    cause_ = cause;
    dropQueueLocked();
    for (const auto& [id, run] : runs_) live.push_back(run);
  }
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

std::int32_t StepRun::recallBorrowed(std::int32_t slots) {
  std::vector<std::shared_ptr<SubtaskRun>> called;
  std::int32_t coming = 0;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, run] : runs_) {
      if (run->onBorrowedSlots() && run->token().cancelled()) coming += task_.slots;
    }
    for (auto at = runs_.rbegin(); at != runs_.rend() && coming < slots; ++at) {
      const auto& run = at->second;
      if (!run->onBorrowedSlots() || run->token().cancelled()) continue;
      called.push_back(run);
      coming += task_.slots;
    }
  }
  for (const auto& run : called) run->interrupt(runtime::CancelCause::kPreempted);
  return coming;
}

void StepRun::close() {
  {
    const std::lock_guard lock(mutex_);
    taking_ = false;
    closed_ = true;
    dropQueueLocked();
  }
  runners_.join();
}

std::size_t StepRun::numQueued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

std::int64_t StepRun::numQueuedBytes() const {
  const std::lock_guard lock(mutex_);
  return queued_bytes_;
}

std::size_t StepRun::numActive() const {
  const std::lock_guard lock(mutex_);
  return known_.size() - queue_.size();
}

bool StepRun::isLow() const {
  const std::lock_guard lock(mutex_);
  return taking_ && queue_.size() < std::max(low_mark_, static_cast<std::size_t>(parallel_.runs));
}

bool StepRun::isDraining() const {
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

bool isIdempotent(Extension& type, const proto::Subtask& row) noexcept {
  try {
    return type.isIdempotent(row);
  } catch (...) {
    observability::log(
        observability::Level::kWarn,
        "task type could not say whether a subtask is idempotent, taken as not",
        currentError(),
        {{"subtask_id", row.id}, {"type", row.type}}
    );
    return false;
  }
}

}  // namespace disttask::executor
