#include "text.hpp"

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace disttask::ctl {

std::string formatTime(std::int64_t seconds) {
  if (seconds == 0) return "";
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (localtime_r(&time, &parts) == nullptr) return "";
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts)};
}

std::string formatCount(std::int64_t number) {
  auto text = std::to_string(number);
  const auto first = text.front() == '-' ? 1U : 0U;
  for (auto at = text.size(); at > first + 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string formatShort(double number) {
  if (number < 999.5) return fmt::format("{:.0f}", number);
  if (number < 999'950) return fmt::format("{:.1f}k", number / 1e3);
  return fmt::format("{:.1f}M", number / 1e6);
}

std::string formatSpan(std::chrono::seconds span) {
  const auto seconds = span.count();
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
}

}  // namespace disttask::ctl
