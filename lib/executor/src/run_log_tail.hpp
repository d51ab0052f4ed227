#pragma once
#include "disttask/executor/run_log_writer.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

namespace disttask::executor {

/// The last lines of one run, bounded in number and bytes. Takes no memory before the first one. Any thread.
class RunLogTail {
 public:
  void add(runtime::TimePoint at, std::string_view level, std::string_view text);
  /// True when there are lines since the last takeNews. Quick.
  [[nodiscard]] bool hasNews() const noexcept { return has_news_; }
  /// Copies the lines, and how many there were before them.
  void takeNews(LoggedRun& into);

 private:
  std::atomic<bool> has_news_{false};
  std::mutex mutex_;
  // guarded by mutex_
  std::vector<LoggedRun::Line> lines_;  // the oldest first
  std::size_t num_bytes_ = 0;
  std::int64_t num_earlier_ = 0;
};

}  // namespace disttask::executor
