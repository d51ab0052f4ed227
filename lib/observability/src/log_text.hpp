#pragma once
#include "disttask/observability/log.hpp"

#include <span>
#include <string>
#include <string_view>

namespace disttask::observability {

/// Returns `message key=value …` on one line: control characters as escapes, values quoted when empty or not plain.
[[nodiscard]] std::string textLine(std::string_view message, std::span<const Field> fields);
/// Returns the members of a JSON object without its braces: "level":…,"message":…,"key":….
[[nodiscard]] std::string jsonMembers(Level level, std::string_view message, std::span<const Field> fields);

}  // namespace disttask::observability
