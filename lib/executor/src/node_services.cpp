#include "disttask/executor/node_services.hpp"

#include <algorithm>

namespace disttask::executor {

proto::StepResource stepResourceOf(
    std::int32_t node_slots, std::int64_t node_memory, const proto::TaskBase& task
) noexcept {
  auto slots = std::max(1, task.slots);
  const auto& steps = task.extra.target_steps;
  const bool limited = steps.empty() || std::find(steps.begin(), steps.end(), task.step.value()) != steps.end();
  if (limited && task.extra.max_runtime_slots > 0) slots = std::min(slots, task.extra.max_runtime_slots);
  const auto share = static_cast<double>(slots) / std::max(1, node_slots);
  return {slots, static_cast<std::int64_t>(share * static_cast<double>(node_memory))};
}

bool NodeExclusive::enter(const runtime::CancelToken& token, bool alone) {
  std::unique_lock lock(mutex_);
  if (alone) ++num_waiting_alone_;
  const bool entered = clock_.waitUntil(lock, changed_, token, runtime::TimePoint::max(), [&] {
    if (taken_alone_) return false;
    return alone ? num_shared_ == 0 : num_waiting_alone_ == 0;
  });
  if (alone) --num_waiting_alone_;
  if (entered) {
    if (alone) {
      taken_alone_ = true;
    } else {
      ++num_shared_;
    }
  }
  if (alone) changed_.notify_all();
  return entered;
}

bool NodeExclusive::tryShare() {
  const std::lock_guard lock(mutex_);
  if (taken_alone_ || num_waiting_alone_ > 0) return false;
  ++num_shared_;
  return true;
}

void NodeExclusive::leave(bool alone) {
  const std::lock_guard lock(mutex_);
  if (alone) {
    taken_alone_ = false;
  } else if (--num_shared_ > 0 || num_waiting_alone_ == 0) {
    return;  // nobody waits for this
  }
  changed_.notify_all();
}

void UnwrittenEnds::keep(RunEnd end) {
  const std::lock_guard lock(mutex_);
  ends_.push_back(std::move(end));
}

std::optional<RunEnd> UnwrittenEnds::take() {
  const std::lock_guard lock(mutex_);
  if (ends_.empty()) return std::nullopt;
  auto end = std::move(ends_.front());
  ends_.pop_front();
  return end;
}

std::size_t UnwrittenEnds::size() const {
  const std::lock_guard lock(mutex_);
  return ends_.size();
}

}  // namespace disttask::executor
