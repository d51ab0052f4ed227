#pragma once
#include "disttask/base/expected.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::settings {

/// Reads a length of time with its unit: `300ms`, `30s`, `5m`, `2h`, `1d`, also with a fraction (`1.5s`). The error
/// (kInvalidArgument) says what to write instead, such as "needs a unit, such as 300ms".
[[nodiscard]] Expected<std::chrono::milliseconds> parseDuration(std::string_view text);
/// Reads a number of bytes with its unit: `512B`, `64KiB`, `4MiB`, `2GiB`.
[[nodiscard]] Expected<std::int64_t> parseSize(std::string_view text);

/// Writes them in the largest unit that fits without a fraction.
[[nodiscard]] std::string formatDuration(std::chrono::milliseconds value);
[[nodiscard]] std::string formatSize(std::int64_t bytes);

}  // namespace disttask::settings
