#include "throttle_options.hpp"

#include "disttask/plugin_common/json_fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;
using plugin_common::intAt;
using plugin_common::textAt;

constexpr std::int64_t kDayMs = 86'400'000;

// HH:MM; nothing when it is none.
std::optional<std::int32_t> timeOfDay(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : -100; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hours = digit(0) * 10 + digit(1);
  const int minutes = digit(3) * 10 + digit(4);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return (hours * 60 + minutes) * 60;
}

std::string hoursAndMinutes(std::int32_t seconds) {
  std::string text = "00:00";
  const auto put = [&](std::size_t at, int number) {
    text[at] = static_cast<char>('0' + number / 10);
    text[at + 1] = static_cast<char>('0' + number % 10);
  };
  put(0, seconds / 3600);
  put(3, seconds / 60 % 60);
  return text;
}

std::optional<DayWindow> windowAt(const Json& value) {
  if (value.isNull()) return std::nullopt;
  const std::string text = textAt(value, "window");
  const auto dash = text.find('-');
  const auto begin = timeOfDay(std::string_view(text).substr(0, dash));
  const auto end = dash == std::string::npos ? std::nullopt : timeOfDay(std::string_view(text).substr(dash + 1));
  if (!begin || !end || *begin == *end) fail("window: expected two times such as '01:00-05:00', found '" + text + "'");
  return DayWindow{*begin, *end};
}

std::map<std::string, std::int64_t> loadsAt(const Json& value, const std::string& key) {
  std::map<std::string, std::int64_t> loads;
  if (value.isNull()) return loads;
  if (!value.isObject()) {
    fail(key + R"(: expected an object such as {"Threads_running": 25}, found )" + std::string(value.kindName()));
  }
  for (const auto& [name, limit] : value.asObject()) {
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (!is_name) fail(key + ": '" + name + "' is not the name of a status variable");
    loads[name] = intAt(limit, key + "." + name, 0, INT64_MAX);
  }
  return loads;
}

std::vector<std::string> namesAt(const Json& value, const std::string& key) {
  if (!value.isArray()) fail(key + ": expected a list of names of connections, found " + std::string(value.kindName()));
  std::vector<std::string> names;
  for (const Json& item : value.asArray()) {
    names.push_back(plugin_common::nonEmptyTextAt(item, key + "[" + std::to_string(names.size()) + "]"));
  }
  return names;
}

}  // namespace

bool DayWindow::contains(std::int32_t second_of_day) const noexcept {
  if (begin_s < end_s) return second_of_day >= begin_s && second_of_day < end_s;
  return second_of_day >= begin_s || second_of_day < end_s;
}

std::string DayWindow::toString() const {
  return hoursAndMinutes(begin_s) + "-" + hoursAndMinutes(end_s);
}

std::int64_t durationAt(const Json& value, const std::string& where) {
  const std::string text = textAt(value, where);
  constexpr std::array<std::pair<std::string_view, double>, 4> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
  double number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, factor] : kUnits) {
    if (error == std::errc() && unit == name && number >= 0 && number * factor <= static_cast<double>(kDayMs)) {
      return std::llround(number * factor);
    }
  }
  fail(where + ": expected a time such as '500ms' or '2s', a day at most, found '" + text + "'");
}

bool readThrottle(const std::string& key, const Json& value, ThrottleOptions& options) {
  if (key == "chunk_rows") {
    options.chunk_rows = intAt(value, key, 1, 10'000'000);
  } else if (key == "chunk_time") {
    options.chunk_time_ms = durationAt(value, key);
  } else if (key == "max_lag") {
    options.max_lag_ms = value.isNull() ? 0 : durationAt(value, key);
    if (!value.isNull() && options.max_lag_ms < 1000)
      fail("max_lag: expected at least 1s, which is what servers count in");
  } else if (key == "replicas") {
    options.replicas = namesAt(value, key);
  } else if (key == "max_load") {
    options.max_load = loadsAt(value, key);
  } else if (key == "critical_load") {
    options.critical_load = loadsAt(value, key);
  } else if (key == "sleep_ratio") {
    if (!value.isNumber()) fail("sleep_ratio: expected a number, found " + std::string(value.kindName()));
    options.sleep_ratio = value.asDouble();
    if (!(options.sleep_ratio >= 0 && options.sleep_ratio <= 100)) fail("sleep_ratio: expected 0 to 100");
  } else if (key == "window") {
    options.window = windowAt(value);
  } else {
    return false;
  }
  return true;
}

void checkThrottles(const ThrottleOptions& options) {
  if (options.max_lag_ms > 0 && options.replicas.empty())
    fail("max_lag: needs replicas, the names of their connections");
  if (options.max_lag_ms == 0 && !options.replicas.empty()) fail("replicas: need max_lag, such as '5s'");
  for (const auto& [name, limit] : options.critical_load) {
    const auto found = options.max_load.find(name);
    if (found != options.max_load.end() && found->second > limit) {
      fail(
          "critical_load." + name + ": " + std::to_string(limit) + " is below max_load, " +
          std::to_string(found->second)
      );
    }
  }
}

}  // namespace disttask::sql_batch
