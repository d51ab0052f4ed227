#pragma once
#include "disttask/runtime/clock.hpp"

#include <cstdint>

namespace disttask::runtime {

/// How long to wait before the next try: doubles from `base` to `cap`.
struct BackoffPolicy {
  Duration base = std::chrono::milliseconds(500);
  Duration cap = std::chrono::seconds(30);
  double jitter = 0.2;  ///< the delay is drawn from [1-jitter, 1] of the doubled value
};

/// Returns the delay after the `attempt`-th failure (1 = first); `random` in [0, 1) places it within the jitter. Pure.
[[nodiscard]] Duration backoffDelay(const BackoffPolicy& policy, std::uint32_t attempt, double random) noexcept;

}  // namespace disttask::runtime
