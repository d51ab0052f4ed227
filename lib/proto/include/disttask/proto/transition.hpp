#pragma once
#include <cstdint>
#include <string_view>

namespace disttask::proto {

/// What became of a conditional UPDATE of a row (design rule 10). A caller must look at it.
enum class [[nodiscard]] TransitionOutcome : std::uint8_t{
    kApplied,  ///< the row shows our target state; also when an earlier try whose answer was lost did it
    kLost,     ///< the row is somebody else's or in another state: the result is dropped
    kMissing,  ///< there is no such row, nor in history
};
[[nodiscard]] std::string_view toString(TransitionOutcome outcome) noexcept;

}  // namespace disttask::proto
