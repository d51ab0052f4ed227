#pragma once
#include "disttask/base/iso_time.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace disttask::ctl {

/// Writes a moment (seconds since the epoch) in local time, "2026-03-01 12:30:05"; empty for 0.
[[nodiscard]] std::string formatTime(std::int64_t seconds);
/// Writes a number with thousands apart, "1,234,567".
[[nodiscard]] std::string formatCount(std::int64_t number);
/// Writes a number in few characters, "812", "43.1k", "1.2M".
[[nodiscard]] std::string formatShort(double number);
/// Writes a length of time for people, "4 s", "2 min 5 s", "3 h 20 min".
[[nodiscard]] std::string formatSpan(std::chrono::seconds span);

}  // namespace disttask::ctl
