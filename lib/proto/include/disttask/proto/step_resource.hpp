#pragma once
#include <cstdint>

namespace disttask::proto {

/// What one task may use on one node while it runs a step (contract 3.10).
struct StepResource {
  std::int32_t slots = 1;         ///< CPU slots
  std::int64_t memory_bytes = 0;  ///< share of the node's memory: slots / node slots × memory
  friend bool operator==(const StepResource&, const StepResource&) = default;
};

}  // namespace disttask::proto
