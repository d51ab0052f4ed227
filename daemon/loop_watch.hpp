#pragma once
#include "disttask/runtime/clock.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace disttask::app {

/// Notices loops of this process that stand still: the watchdog of the service manager is fed only while all move, and
/// whatever the store does, since each moves with failed rounds too. Any thread.
class LoopWatch {
 public:
  explicit LoopWatch(runtime::Duration limit) : limit_(limit) {}
  /// Notes how far each loop is; a loop seen for the first time counts as moving, and so do all when
  /// nobody has looked for half of the limit: then the process itself stood still, or its host slept.
  void observe(runtime::TimePoint now, const std::map<std::string, std::uint64_t>& counts);
  /// Returns the loops that had not moved for the limit when they were last observed, by name.
  [[nodiscard]] std::vector<std::string> still() const;

 private:
  struct Loop {
    std::uint64_t count = 0;
    runtime::TimePoint moved{};
    bool still = false;
  };
  const runtime::Duration limit_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<std::string, Loop> loops_;
  runtime::TimePoint observed_{};
};

}  // namespace disttask::app
