#include "text.hpp"

#include "table.hpp"

#include <fmt/format.h>

namespace disttask::ctl {

std::string formatRelative(std::int64_t seconds, std::int64_t now) {
  if (seconds == 0) return "";
  const auto ago = now - seconds;
  const auto away = ago < 0 ? -ago : ago;
  if (away == 0) return "now";
  std::string span;
  if (away < 60) {
    span = fmt::format("{} s", away);
  } else if (away < 3600) {
    span = fmt::format("{} min", away / 60);
  } else if (away < 2 * 86400) {
    span = fmt::format("{} h", away / 3600);
  } else {
    span = fmt::format("{} d", away / 86400);
  }
  return ago > 0 ? span + " ago" : "in " + span;
}

std::string firstLine(const std::string& text) {
  auto line = text.substr(0, text.find('\n'));
  return shorten(printable(line), 100);
}

std::string formatNumber(std::int64_t number, const std::string& noun) {
  return formatCount(number) + " " + noun + (number == 1 ? "" : "s");
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
  // The lesser of two units is left out where there is none of it.
  const auto text = [](std::int64_t of, const char* unit, std::int64_t rest, const char* rest_unit) {
    return rest == 0 ? fmt::format("{} {}", of, unit) : fmt::format("{} {} {} {}", of, unit, rest, rest_unit);
  };
  if (seconds < 3600) return text(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 48 * 3600) return text(seconds / 3600, "h", seconds % 3600 / 60, "min");
  return text(seconds / 86400, "d", seconds % 86400 / 3600, "h");
}

}  // namespace disttask::ctl
