#pragma once
#include "disttask/proto/ids.hpp"

namespace disttask::proto {

/// A task that has not entered its first step (contract 3.4, frozen).
inline constexpr Step kStepInit{-1};
/// A task that has passed its last step.
inline constexpr Step kStepDone{-2};

}  // namespace disttask::proto
