#include "disttask/runtime/clock.hpp"

#include "disttask/base/error.hpp"

#include <algorithm>
#include <ctime>
#include <string>

namespace disttask::runtime {

BootClock::time_point BootClock::now() noexcept {
  ::timespec at{};
  ::clock_gettime(CLOCK_BOOTTIME, &at);
  return time_point(std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec));
}

namespace {

// The kernel's waits stand still while the host is suspended, our clock does not: so a wait looks at the clock this
// often.
constexpr Duration kLongestNap = std::chrono::seconds(1);

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return BootClock::now(); }
  bool waitUntil(
      std::unique_lock<std::mutex>& lock,
      std::condition_variable_any& cv,
      const CancelToken& token,
      TimePoint until,
      const std::function<bool()>& ready
  ) override {
    const auto stop = token.stopToken();
    for (;;) {
      if (ready()) return true;
      const auto now = BootClock::now();
      if (now >= until || stop.stop_requested()) return false;
      cv.wait_for(lock, stop, std::min(until - now, kLongestNap), ready);
    }
  }
};

}  // namespace

Clock& systemClock() noexcept {
  static SystemClock clock;
  return clock;
}

Deadline::Deadline(const Clock& clock, Duration from_now) noexcept : clock_(&clock) {
  const auto now = clock.now();
  at_ = from_now > TimePoint::max() - now ? TimePoint::max() : now + from_now;
}

Duration Deadline::left() const noexcept {
  if (isNever()) return Duration::max();
  const auto now = clock_->now();
  return now >= at_ ? Duration::zero() : at_ - now;
}

void Call::check(std::string_view what) const {
  token.throwIfCancelled();
  if (deadline.isReached()) throw Exception(ErrorCode::kTimedOut, "timed out: " + std::string(what));
}

void Wakeup::notify() {
  const std::lock_guard lock(mutex_);
  set_ = true;
  cv_.notify_all();  // under the lock: the waiter may destroy this as soon as its wait returns
}

WakeReason Wakeup::waitFor(const CancelToken& token, Duration duration) {
  const Deadline deadline(clock_, duration);
  std::unique_lock lock(mutex_);
  if (clock_.waitUntil(lock, cv_, token, deadline.at(), [this] { return set_; })) {
    set_ = false;
    return WakeReason::kNotified;
  }
  return token.cancelled() ? WakeReason::kCancelled : WakeReason::kTimeout;
}

}  // namespace disttask::runtime
