// Places, and the starts and finishes that go through the node's writer.
#include "disttask/observability/log.hpp"
#include "end_writer.hpp"
#include "step_run.hpp"

#include <algorithm>

namespace disttask::executor {

/// Takes the next subtask from the queue into the place that `predecessor` leaves, or into a free one; nothing when no
/// subtask may begin now.
std::optional<StepRun::Item> StepRun::takeLocked(Item* predecessor) {
  if (!taking_ || queue_.empty()) return std::nullopt;
  auto& node = parts_.node;
  const bool first_place = predecessor != nullptr ? predecessor->first_place : !first_place_taken_;
  // Only the first place is on slots that the task holds; what may not run twice never runs on borrowed ones (design
  // rule 12).
  const auto at =
      std::find_if(queue_.begin(), queue_.end(), [&](const Item& item) { return first_place || item.idempotent; });
  if (at == queue_.end()) return std::nullopt;
  // What was begun before, or whose meta is still in the store, needs a look there first: it waits for a free place.
  const bool plain = at->row.start_time == 0 && at->row.left_out_bytes == 0;
  Held slots;
  if (predecessor != nullptr) {
    if (!plain || !predecessor->has_place) return std::nullopt;
    // Borrowed slots are not used again while an admitted task waits for them, or has them (design rule 18).
    if (predecessor->slots && node.slots.mustReturnBorrowed()) return std::nullopt;
  } else {
    if (num_places_taken_ >= num_runners_) return std::nullopt;
    if (!first_place && parallel_.borrows && !(slots = Held::borrowSlots(node, task_.slots))) return std::nullopt;
  }
  Held shared;
  if (plain && !(shared = Held::share(node))) return std::nullopt;

  auto item = std::move(*at);
  queue_.erase(at);
  queued_bytes_ -= static_cast<std::int64_t>(item.row.meta.size());
  if (queue_.size() + 1 == std::max(low_mark_, static_cast<std::size_t>(parallel_.runs))) parts_.coordinator.notify();
  item.has_place = true;
  item.first_place = first_place;
  item.shared = std::move(shared);
  if (predecessor != nullptr) {
    predecessor->has_place = false;
    item.slots = std::move(predecessor->slots);
  } else {
    item.slots = std::move(slots);
    ++num_places_taken_;
    if (first_place) first_place_taken_ = true;
  }
  return item;
}

namespace {

storage::RunStart startOf(const proto::Subtask& row, bool idempotent) {
  return {row.id, {row.task_id, row.step, row.ordinal, row.token}, idempotent};
}

}  // namespace

/// Begins as many subtasks as have a free place; false when there is none.
bool StepRun::startMore(std::unique_lock<std::mutex>& lock) {
  if (!taking_ || queue_.empty() || !parts_.node.lease.mayStart()) return false;
  std::vector<RunWrites> starts;
  bool any = false;
  while (auto item = takeLocked(nullptr)) {
    any = true;
    if (!item->shared) {
      starts_alone_.push_back(std::move(*item));
      continue;
    }
    starts.push_back({std::nullopt, startOf(item->row, item->idempotent)});
    const auto id = item->row.id;
    starting_.emplace(id, std::move(*item));
  }
  if (starts.empty()) return any;
  lock.unlock();
  for (auto& start : starts) parts_.node.writer.submit(parts_.table, *this, std::move(start));
  lock.lock();
  must_drive_ = true;
  return true;
}

/// Hands the finish of a run to the writer, and with it the start of the next one.
void StepRun::finish(Item item, RunEnd end) {
  RunWrites writes;
  writes.finish = {end.id, std::move(end.meta), std::move(end.summary)};
  item.row.meta.clear();
  const bool may_start = parts_.node.lease.mayStart();
  {
    const std::lock_guard lock(mutex_);
    if (may_start) {
      if (auto next = takeLocked(&item)) {
        writes.start = startOf(next->row, next->idempotent);
        starting_.emplace(next->row.id, std::move(*next));
      }
    }
    ending_.emplace(end.id, std::move(item));
  }
  parts_.node.writer.submit(parts_.table, *this, std::move(writes));
  must_drive_ = true;  // this thread comes for it, unless another one is quicker
}

void StepRun::releaseLocked(const Item& item) {
  known_.erase(item.row.id);
  if (item.has_place) {
    --num_places_taken_;
    if (item.first_place) first_place_taken_ = false;
  }
  if (known_.empty()) {
    if (closed_) changed_.notify_all();
    parts_.coordinator.notify();
  }
}

void StepRun::release(Item item) {
  item.run.reset();
  item.shared.reset();
  item.slots.reset();  // before its place is free: the next one has to borrow anew
  const std::lock_guard lock(mutex_);
  releaseLocked(item);
  wakeOneLocked();
}

bool StepRun::mustDrive() noexcept {
  const std::lock_guard lock(mutex_);
  must_drive_ = true;
  wakeOneLocked();
  return num_free_ > 0 || num_idle_ > 0;
}

void StepRun::concluded(RunWrites writes, RunWritesResult result) noexcept {
  // The thread that sends may be of another task.
  const observability::LogContext context(log_fields_);
  // In this order: a finish that has to be written again must find a thread before the next run takes it.
  if (writes.finish) concludeFinish(std::move(*writes.finish), *result.finish);
  if (writes.start) concludeStart(writes.start->id, result.start);
}

void StepRun::concludeStart(proto::SubtaskId id, const std::optional<storage::RunWriteResult>& result) {
  auto& node = parts_.node;
  const bool applied = result && !result->error && result->outcome == proto::TransitionOutcome::kApplied;
  const bool failed = result && result->error && !node.vanish.token().cancelled();
  if (applied) {
    ++node.counters.started;
    ++progress_;
  }
  if (failed && !storage::shouldBeSentAlone(*result->error)) ++node.counters.store_errors;
  std::unique_lock lock(mutex_);
  const auto at = starting_.find(id);
  auto item = std::move(at->second);
  starting_.erase(at);
  if (applied) {
    trouble_ = false;
    ready_.push_back(std::move(item));
  } else if (failed) {
    item.shared.reset();
    starts_alone_.push_back(std::move(item));
  } else {
    // Withheld, moved, paused or canceled meanwhile: not ours to run.
    lock.unlock();
    return release(std::move(item));
  }
  wakeOneLocked();
}

void StepRun::concludeFinish(storage::RunFinish finish, const storage::RunWriteResult& result) {
  auto& node = parts_.node;
  ++progress_;
  std::unique_lock lock(mutex_);
  const auto at = ending_.find(finish.id);
  auto item = std::move(at->second);
  ending_.erase(at);
  if (!result.error || node.vanish.token().cancelled()) {
    lock.unlock();
    if (!result.error) noteEndOutcome(node, finish.id, EndWrite::kFinish, result.outcome, node.counters.succeeded);
    return release(std::move(item));
  }
  if (!storage::shouldBeSentAlone(*result.error)) ++node.counters.store_errors;
  RunEnd end;
  end.id = finish.id;
  end.write = EndWrite::kFinish;
  end.meta = std::move(finish.meta);
  end.summary = std::move(finish.summary);
  if (result.error->code() == ErrorCode::kStoreContent) refuseResult(end, *result.error);
  ends_alone_.push_back({std::move(item), std::move(end)});
  wakeOneLocked();
}

}  // namespace disttask::executor
