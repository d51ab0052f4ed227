#include "disttask/settings/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace disttask::settings {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr std::array<Unit, 5> kDurations{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 5> kSizes{
    {{"TiB", 1LL << 40}, {"GiB", 1LL << 30}, {"MiB", 1LL << 20}, {"KiB", 1LL << 10}, {"B", 1}}};

/// In milliseconds, nearly 300 years: in nanoseconds it still fits into 64 bits, which is what a clock has.
constexpr double kLongest = 9.0e12;
/// Bytes that a double counts one by one.
constexpr double kLargest = 9.0e15;

template <std::size_t kCount>
Expected<std::int64_t> parseWithUnit(
    std::string_view text,
    const std::array<Unit, kCount>& units,
    std::string_view what,
    std::string_view default_unit,
    std::string_view names,
    double max
) {
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (failure != std::errc{} || !(number >= 0)) {  // not a number, as it may be written, is refused too
    return Error(ErrorCode::kInvalidArgument, fmt::format("expected {} such as 300{}", what, default_unit));
  }
  auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto number_text = text.substr(0, text.size() - rest.size());
  if (rest.empty() && number != 0) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("needs a unit, such as {}{}", number_text, default_unit));
  }
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  for (const auto& unit : units) {
    if (rest != unit.name && !(rest.empty() && unit.factor == 1)) continue;
    const double product = number * static_cast<double>(unit.factor);
    if (product > max) return Error(ErrorCode::kInvalidArgument, "is too large");
    return static_cast<std::int64_t>(std::llround(product));
  }
  return Error(
      ErrorCode::kInvalidArgument, fmt::format("has the unit '{}', expected one of {}", rest.substr(0, 16), names)
  );
}

template <std::size_t kCount>
std::string formatWithUnit(std::int64_t value, const std::array<Unit, kCount>& units) {
  for (const auto& unit : units) {
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  }
  return fmt::format("0{}", units.back().name);
}

}  // namespace

Expected<std::chrono::milliseconds> parseDuration(std::string_view text) {
  const auto value = parseWithUnit(text, kDurations, "a length of time", "ms", "ms, s, m, h, d", kLongest);
  if (!value) return value.error();
  return std::chrono::milliseconds(value.value());
}

Expected<std::int64_t> parseSize(std::string_view text) {
  return parseWithUnit(text, kSizes, "a size", "MiB", "B, KiB, MiB, GiB, TiB", kLargest);
}

std::string formatDuration(std::chrono::milliseconds value) {
  return formatWithUnit(value.count(), kDurations);
}
std::string formatSize(std::int64_t bytes) {
  return formatWithUnit(bytes, kSizes);
}

}  // namespace disttask::settings
