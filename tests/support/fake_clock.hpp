#pragma once
#include "disttask/runtime/clock.hpp"
#include "disttask/runtime/timers.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace disttask::test {

class FakeTimers;

/// A clock that stands still until the test advances it. Waits on it end when their time comes, when they are ready, or
/// when they are cancelled. Any thread; must outlive its waiters and timers.
class FakeClock final : public runtime::Clock {
 public:
  [[nodiscard]] runtime::TimePoint now() const noexcept override;
  bool waitUntil(
      std::unique_lock<std::mutex>& lock,
      std::condition_variable_any& cv,
      const runtime::CancelToken& token,
      runtime::TimePoint until,
      const std::function<bool()>& ready
  ) override;

  /// Moves the time forward, from timer to timer of its FakeTimers: each handler runs on this thread and sees its own
  /// time. One thread at a time; not from a handler.
  void advance(runtime::Duration by);
  /// Returns how many threads wait now. A test that means to end a wait by advance() first waits until there is one.
  [[nodiscard]] std::size_t numWaiters() const;
  /// Waits until each wait whose time has come has ended and all threads of the process rest again (see
  /// test::comeToRest); false when that did not happen within `limit` of real time. A test that advances in a loop does
  /// this before each look and each step: else a thread that got no core misses its time, and what another does right
  /// after the event that the test looks for is not yet done. On the test's thread.
  bool comeToRest(runtime::Duration limit = std::chrono::seconds(1));

 private:
  friend class FakeTimers;
  struct Waiter {
    runtime::TimePoint until;
    std::condition_variable_any* cv;
  };
  /// Wakes the waiters whose time has come; returns whether there was none.
  bool wakeDue();

  mutable std::mutex mutex_;
  runtime::TimePoint now_{std::chrono::hours(1)};
  std::list<Waiter> waiters_;
  std::vector<FakeTimers*> timers_;
};

/// Timers of a FakeClock: handlers run inside FakeClock::advance, in the order of their times, then of their calls. A
/// timer whose time has come already (delay 0) runs at the next advance, advance(0) included. Any thread.
class FakeTimers final : public runtime::Timers {
 public:
  explicit FakeTimers(FakeClock& clock);
  FakeTimers(const FakeTimers&) = delete;
  FakeTimers& operator=(const FakeTimers&) = delete;
  ~FakeTimers() override;

  TimerId after(runtime::Duration delay, std::function<void()> handler) override;
  bool cancel(TimerId id) override;
  /// Returns how many timers wait for their time.
  [[nodiscard]] std::size_t numPending() const;
  /// Returns how long until the earliest timer, or nothing.
  [[nodiscard]] std::optional<runtime::Duration> untilNext() const;

 private:
  friend class FakeClock;
  using Key = std::pair<runtime::TimePoint, TimerId>;
  [[nodiscard]] std::optional<runtime::TimePoint> earliest() const;
  [[nodiscard]] std::function<void()> takeDue(runtime::TimePoint now);

  FakeClock& clock_;
  mutable std::mutex mutex_;
  std::map<Key, std::function<void()>> timers_;
  TimerId last_id_ = 0;
};

}  // namespace disttask::test
