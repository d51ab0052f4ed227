#pragma once
#include "disttask/base/iso_time.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace disttask::ctl {

/// Writes a moment (seconds since the epoch) as seen from `now`: "3 min ago", "in 5 s", "now"; empty for 0.
[[nodiscard]] std::string formatRelative(std::int64_t seconds, std::int64_t now);
/// Returns the first line of a text, shortened to 100 characters: a list shows where a long one begins.
[[nodiscard]] std::string firstLine(const std::string& text);
/// Writes a number with its noun, "1 subtask" or "1,200 subtasks".
[[nodiscard]] std::string formatNumber(std::int64_t number, const std::string& noun);
/// Writes a number with thousands apart, "1,234,567".
[[nodiscard]] std::string formatCount(std::int64_t number);
/// Writes a number in few characters, "812", "43.1k", "1.2M".
[[nodiscard]] std::string formatShort(double number);
/// Writes a length of time for people, "4 s", "2 min 5 s", "3 h 20 min", "8 d".
[[nodiscard]] std::string formatSpan(std::chrono::seconds span);

}  // namespace disttask::ctl
