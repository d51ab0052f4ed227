#pragma once
#include <cstdint>
#include <string>

namespace disttask {

/// Writes a moment (seconds since the epoch) in UTC for programs, "2026-03-01T11:30:05Z"; empty for 0. Any thread.
[[nodiscard]] std::string formatIsoTime(std::int64_t seconds);

}  // namespace disttask
