#include "support/fake_clock.hpp"

#include "support/rest.hpp"

#include <algorithm>

namespace disttask::test {

using runtime::Duration;
using runtime::TimePoint;

namespace {
constexpr std::chrono::milliseconds kLongestNap{5};
}

TimePoint FakeClock::now() const noexcept {
  const std::lock_guard lock(mutex_);
  return now_;
}

bool FakeClock::waitUntil(
    std::unique_lock<std::mutex>& lock,
    std::condition_variable_any& cv,
    const runtime::CancelToken& token,
    TimePoint until,
    const std::function<bool()>& ready
) {
  const auto stop = token.stopToken();
  std::unique_lock registering(mutex_);
  const auto self = waiters_.insert(waiters_.end(), {until, &cv});
  registering.unlock();
  const auto over = [&] { return ready() || now() >= until; };
  // advance() knows nothing of the waiter's lock, so its call may come just before this thread sleeps: a wait looks at
  // the clock from time to time too.
  while (!over() && !stop.stop_requested()) {
    cv.wait_for(lock, stop, kLongestNap, over);
  }
  registering.lock();
  waiters_.erase(self);
  registering.unlock();
  return ready();
}

bool FakeClock::wakeDue() {
  const std::lock_guard lock(mutex_);
  bool none = true;
  for (const auto& waiter : waiters_) {
    if (waiter.until > now_) continue;
    none = false;
    waiter.cv->notify_all();  // under the lock: it cannot go before its wait has left the list
  }
  return none;
}

bool FakeClock::comeToRest(Duration limit) {
  const runtime::Deadline deadline(runtime::systemClock(), limit);
  runtime::Wakeup pause(runtime::systemClock());
  while (!wakeDue()) {
    if (deadline.isReached()) return false;
    pause.waitFor({}, std::chrono::microseconds(100));
  }
  return test::comeToRest(deadline.left());
}

void FakeClock::advance(Duration by) {
  const auto target = now() + by;
  for (;;) {
    std::vector<FakeTimers*> all;
    {
      const std::lock_guard lock(mutex_);
      all = timers_;
    }
    FakeTimers* first = nullptr;
    TimePoint due = TimePoint::max();
    for (auto* timers : all) {
      if (const auto earliest = timers->earliest(); earliest && *earliest < due) first = timers, due = *earliest;
    }
    const bool last = first == nullptr || due > target;
    {
      const std::lock_guard lock(mutex_);
      now_ = std::max(now_, last ? target : due);
    }
    if (last) break;
    if (auto handler = first->takeDue(now())) handler();
  }
  wakeDue();
}

std::size_t FakeClock::numWaiters() const {
  const std::lock_guard lock(mutex_);
  return waiters_.size();
}

FakeTimers::FakeTimers(FakeClock& clock) : clock_(clock) {
  const std::lock_guard lock(clock_.mutex_);
  clock_.timers_.push_back(this);
}

FakeTimers::~FakeTimers() {
  const std::lock_guard lock(clock_.mutex_);
  std::erase(clock_.timers_, this);
}

FakeTimers::TimerId FakeTimers::after(Duration delay, std::function<void()> handler) {
  const auto due = runtime::Deadline(clock_, std::max(delay, Duration::zero())).at();
  const std::lock_guard lock(mutex_);
  timers_.emplace(Key(due, ++last_id_), std::move(handler));
  return last_id_;
}

bool FakeTimers::cancel(TimerId id) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(timers_, [id](const auto& entry) { return entry.first.second == id; }) == 1;
}

std::size_t FakeTimers::numPending() const {
  const std::lock_guard lock(mutex_);
  return timers_.size();
}

std::optional<Duration> FakeTimers::untilNext() const {
  const auto due = earliest();
  if (!due) return std::nullopt;
  return std::max(*due - clock_.now(), Duration::zero());
}

std::optional<TimePoint> FakeTimers::earliest() const {
  const std::lock_guard lock(mutex_);
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

std::function<void()> FakeTimers::takeDue(TimePoint now) {
  const std::lock_guard lock(mutex_);
  const auto first = timers_.begin();
  if (first == timers_.end() || first->first.first > now) return {};
  auto handler = std::move(first->second);
  timers_.erase(first);
  return handler;
}

}  // namespace disttask::test
