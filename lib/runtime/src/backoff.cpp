#include "disttask/runtime/backoff.hpp"

#include <algorithm>

namespace disttask::runtime {

Duration backoffDelay(const BackoffPolicy& policy, std::uint32_t attempt, double random) noexcept {
  auto delay = std::min(policy.base, policy.cap);
  for (std::uint32_t i = 1; i < attempt && delay < policy.cap; ++i) {
    delay = delay > policy.cap / 2 ? policy.cap : delay * 2;
  }
  // What is taken off is computed, not what is left: with the longest delays that could round up beyond what a Duration
  // holds.
  const auto taken_off = std::chrono::duration<double, Duration::period>(delay) * policy.jitter * (1.0 - random);
  return delay - std::chrono::duration_cast<Duration>(taken_off);
}

}  // namespace disttask::runtime
