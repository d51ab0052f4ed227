#pragma once
#include "disttask/runtime/clock.hpp"

#include "support/rest.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace disttask::test {

/// How long a test waits for something that should happen soon; long, since a loaded machine is no failure.
inline constexpr std::chrono::seconds kSoon{60};

/// Polls until `predicate()` is true; false when that did not happen within `limit`. The predicate runs on the calling
/// thread. When it holds, the other threads of this process come to rest first (see comeToRest): what one of them does
/// right after what the predicate saw is done. Use a TestSignal where the code under test can be made to send one.
template <typename Predicate>
[[nodiscard]] bool eventually(runtime::Duration limit, Predicate&& predicate) {
  auto& clock = runtime::systemClock();
  const runtime::Deadline deadline(clock, limit);
  runtime::Wakeup pause(clock);
  runtime::Duration step = std::chrono::milliseconds(1);
  for (;;) {
    if (predicate()) {
      comeToRest();
      return true;
    }
    if (deadline.isReached()) return false;
    pause.waitFor({}, step);
    step = std::min<runtime::Duration>(step * 2, std::chrono::milliseconds(20));
  }
}
template <typename Predicate>
[[nodiscard]] bool eventually(Predicate&& predicate) {
  return eventually(kSoon, predicate);
}

/// A queue from the threads of the code under test to the test's thread. Any thread may send.
template <typename T>
class TestSignal {
 public:
  void send(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    sent_.notify_all();  // under the lock: the test may destroy this as soon as it has the value
  }
  /// Waits for the next value; nothing when none came within `limit`. When there is one, the other threads come to rest
  /// first, as with `eventually`.
  [[nodiscard]] std::optional<T> wait(std::chrono::nanoseconds limit = kSoon) {
    auto value = take(limit);
    if (value) comeToRest();
    return value;
  }
  /// Takes a value that is there already.
  [[nodiscard]] std::optional<T> poll() { return take(std::chrono::nanoseconds(0)); }
  /// Returns how many values wait.
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return values_.size();
  }

 private:
  std::optional<T> take(std::chrono::nanoseconds limit) {
    std::unique_lock lock(mutex_);
    if (!sent_.wait_for(lock, limit, [this] { return !values_.empty(); })) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    return value;
  }

  mutable std::mutex mutex_;
  std::condition_variable sent_;
  std::deque<T> values_;
};

}  // namespace disttask::test
