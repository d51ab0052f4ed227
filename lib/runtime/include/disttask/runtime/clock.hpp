#pragma once
#include "disttask/runtime/cancel.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>

namespace disttask::runtime {

/// CLOCK_BOOTTIME: goes on while the host is suspended, so a lease counted on it never looks younger than it is (design
/// rule 4).
struct BootClock {
  // NOLINTBEGIN(readability-identifier-naming): the standard's names
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
  // NOLINTEND(readability-identifier-naming)
  [[nodiscard]] static time_point now() noexcept;
};

using Duration = BootClock::duration;
using TimePoint = BootClock::time_point;

/// Time as a dependency, so that tests advance it by hand. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const noexcept = 0;
  /// Waits on `cv` until `ready()` holds (true), or until `until` passed or the token was cancelled (false unless
  /// ready). `lock` is held when `ready` runs and on return. Use Wakeup unless you share a lock.
  virtual bool waitUntil(
      std::unique_lock<std::mutex>& lock,
      std::condition_variable_any& cv,
      const CancelToken& token,
      TimePoint until,
      const std::function<bool()>& ready
  ) = 0;
};

/// The real clock; after a suspended host resumes, a wait notices at most one second late. Stateless; one instance
/// serves a process.
[[nodiscard]] Clock& systemClock() noexcept;

/// A moment after which a wait or a call gives up. A value; the clock must outlive it. Default: never.
class Deadline {
 public:
  Deadline() = default;
  /// A `from_now` too long to be counted means the end of time.
  Deadline(const Clock& clock, Duration from_now) noexcept;
  [[nodiscard]] bool isNever() const noexcept { return clock_ == nullptr; }
  [[nodiscard]] bool isReached() const noexcept { return clock_ != nullptr && clock_->now() >= at_; }
  /// Returns what is left, never below zero; Duration::max() when it never comes.
  [[nodiscard]] Duration left() const noexcept;
  [[nodiscard]] TimePoint at() const noexcept { return clock_ == nullptr ? TimePoint::max() : at_; }

 private:
  const Clock* clock_ = nullptr;
  TimePoint at_{};
};

/// What each call that may block carries: who may stop it, and when it gives up by itself.
struct Call {
  CancelToken token;
  Deadline deadline;
  /// The token's cancel also cuts off a call that waits for the store already; its outcome is unknown then. Else such a
  /// call goes on to its own limit.
  bool cut_off = false;
  /// Throws Exception: kCancelled, or kTimedOut with `what`.
  void check(std::string_view what) const;
};

enum class WakeReason : std::uint8_t { kNotified, kTimeout, kCancelled };

/// An event that one thread waits for and any thread sets; it stays set until a wait takes it.
class Wakeup {
 public:
  explicit Wakeup(Clock& clock) : clock_(clock) {}
  void notify();
  /// Waits at most `duration`. This and Clock::waitUntil are the only sleeps of the code base.
  WakeReason waitFor(const CancelToken& token, Duration duration);

 private:
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any cv_;
  bool set_ = false;
};

}  // namespace disttask::runtime
