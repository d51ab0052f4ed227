#pragma once
#include "disttask/observability/log.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace disttask::observability {

/// Writes the same thing at most once per interval: the first time at once; later ones are counted, and the next line
/// that is written carries the number of those left out as the field `repeats`. Any thread. Remembers at most 1000
/// things.
class SampledLog {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// `now` is for tests.
  explicit SampledLog(
      std::chrono::nanoseconds interval,
      std::function<TimePoint()> now = [] { return std::chrono::steady_clock::now(); }
  );

  /// Lines with the same message are the same thing. Returns whether it wrote.
  bool log(Level level, std::string_view message, std::initializer_list<Field> fields = {}) noexcept;
  /// Lines with the same message and `key` (say, an endpoint) are the same thing.
  bool logFor(
      std::string_view key, Level level, std::string_view message, std::initializer_list<Field> fields = {}
  ) noexcept;

 private:
  struct Entry {
    TimePoint last;
    std::uint64_t num_left_out = 0;
  };
  const std::chrono::nanoseconds interval_;
  const std::function<TimePoint()> now_;
  std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace disttask::observability
