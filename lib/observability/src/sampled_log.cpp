#include "disttask/observability/sampled_log.hpp"

#include <utility>
#include <vector>

namespace disttask::observability {

static constexpr std::size_t kMaxEntries = 1000;

SampledLog::SampledLog(std::chrono::nanoseconds interval, std::function<TimePoint()> now)
    : interval_(interval), now_(std::move(now)) {}

bool SampledLog::log(Level level, std::string_view message, std::initializer_list<Field> fields) noexcept {
  return logFor({}, level, message, fields);
}

bool SampledLog::logFor(
    std::string_view key, Level level, std::string_view message, std::initializer_list<Field> fields
) noexcept {
  try {
    const auto now = now_();
    std::string name(message);
    name.append(1, '\0').append(key);
    std::uint64_t num_left_out = 0;
    {
      const std::lock_guard lock(mutex_);
      const auto found = entries_.find(name);
      if (found != entries_.end() && now - found->second.last < interval_) {
        ++found->second.num_left_out;
        return false;
      }
      if (found != entries_.end()) {
        num_left_out = std::exchange(found->second, Entry{now, 0}).num_left_out;
      } else {
        if (entries_.size() >= kMaxEntries) {
          std::erase_if(entries_, [&](const auto& entry) { return now - entry.second.last >= interval_; });
        }
        if (entries_.size() >= kMaxEntries) entries_.erase(entries_.begin());
        entries_.emplace(std::move(name), Entry{now, 0});
      }
    }
    std::vector<Field> all(fields);
    if (num_left_out > 0) all.emplace_back("repeats", num_left_out);
    observability::log(level, message, std::span<const Field>(all));
    return true;
  } catch (...) {  // no memory to keep count: better one line too many
    observability::log(level, message, fields);
    return true;
  }
}

}  // namespace disttask::observability
