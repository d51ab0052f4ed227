#include "loop_watch.hpp"

namespace disttask::app {

void LoopWatch::observe(runtime::TimePoint now, const std::map<std::string, std::uint64_t>& counts) {
  const std::lock_guard lock(mutex_);
  const bool slept = now - observed_ >= limit_ / 2;
  observed_ = now;
  for (const auto& [name, count] : counts) {
    const auto [at, is_new] = loops_.try_emplace(name, Loop{count, now, false});
    auto& loop = at->second;
    if (slept || loop.count != count) loop = {count, now, false};
    loop.still = now - loop.moved >= limit_;
  }
}

std::vector<std::string> LoopWatch::still() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, loop] : loops_) {
    if (loop.still) names.push_back(name);
  }
  return names;
}

}  // namespace disttask::app
