#pragma once
#include "node_report.hpp"

#include <mutex>
#include <optional>

namespace disttask::app {

/// When the store last answered a poll. Any thread.
class StoreContact {
 public:
  void note(runtime::TimePoint now, runtime::Duration took, bool answered) {
    const std::lock_guard lock(mutex_);
    answers_ = answered;
    if (!answered) return;
    at_ = now;
    took_ = took;
  }
  void tell(runtime::TimePoint now, NodeReport& report) const {
    const std::lock_guard lock(mutex_);
    report.store_answers = answers_;
    report.store_took = took_;
    if (at_) report.store_age = now - *at_;
  }

 private:
  mutable std::mutex mutex_;
  // guarded by mutex_
  bool answers_ = false;
  std::optional<runtime::TimePoint> at_;
  std::optional<runtime::Duration> took_;
};

}  // namespace disttask::app
