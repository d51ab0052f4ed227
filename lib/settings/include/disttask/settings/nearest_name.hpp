#pragma once
#include <span>
#include <string>
#include <string_view>

namespace disttask::settings {

/// Returns the name of `known` that `name` was probably meant to be; empty when none is near. Distance counts
/// insertions, deletions, replacements and swaps of neighbours.
[[nodiscard]] std::string nearestName(std::string_view name, std::span<const std::string> known);

}  // namespace disttask::settings
