#pragma once
#include <cstdint>

namespace disttask {

/// Returns a random number in [1, 2^63-1] from the kernel's generator: lives, run tokens, nudge tokens. Any thread.
[[nodiscard]] std::int64_t randomToken();
/// Returns a number in [0, bound) for jitter; bound 0 gives 0. Any thread.
[[nodiscard]] std::uint64_t randomBelow(std::uint64_t bound);

}  // namespace disttask
