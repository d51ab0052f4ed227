#include "run_log_tail.hpp"

#include "disttask/base/utf8.hpp"

namespace disttask::executor {

void RunLogTail::add(runtime::TimePoint at, std::string_view level, std::string_view text) {
  auto line = toValidUtf8(text, storage::kMaxRunLogLineBytes);
  const std::lock_guard lock(mutex_);
  num_bytes_ += line.size();
  lines_.push_back({at, std::string(level), std::move(line)});
  while (lines_.size() > storage::kMaxRunLogLines || num_bytes_ > storage::kMaxRunLogBytes) {
    num_bytes_ -= lines_.front().text.size();
    lines_.erase(lines_.begin());
    ++num_earlier_;
  }
  has_news_ = true;
}

void RunLogTail::takeNews(LoggedRun& into) {
  const std::lock_guard lock(mutex_);
  has_news_ = false;
  into.num_earlier = num_earlier_;
  into.lines = lines_;
}

}  // namespace disttask::executor
