#pragma once
#include "disttask/base/json.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::sql_batch {

/// Hours of the day in which chunks may run, by the clock of the server that is worked on; may pass midnight.
struct DayWindow {
  std::int32_t begin_s = 0;  ///< seconds after midnight
  std::int32_t end_s = 0;
  [[nodiscard]] bool contains(std::int32_t second_of_day) const noexcept;
  [[nodiscard]] std::string toString() const;  ///< "01:00-05:00"
  friend bool operator==(const DayWindow&, const DayWindow&) = default;
};

/// How fast a task may go. All of it may be changed while the task runs.
struct ThrottleOptions {
  std::int64_t chunk_rows = 1000;                     ///< of the first chunk
  std::int64_t chunk_time_ms = 500;                   ///< chunks are made to last so long; 0: chunk_rows stays as it is
  std::vector<std::string> replicas;                  ///< connections of servers that must keep up
  std::int64_t max_lag_ms = 0;                        ///< with replicas
  std::map<std::string, std::int64_t> max_load;       ///< status variable → wait while it is above
  std::map<std::string, std::int64_t> critical_load;  ///< status variable → fail when it is above
  double sleep_ratio = 0;                             ///< pause after a chunk, in times of what it took
  std::optional<DayWindow> window;
  friend bool operator==(const ThrottleOptions&, const ThrottleOptions&) = default;
};

/// Takes a member of the meta if it is a throttle; false: it is none. Throws kInvalidArgument with one sentence.
bool readThrottle(const std::string& key, const Json& value, ThrottleOptions& options);
/// Checks what depends on two members.
void checkThrottles(const ThrottleOptions& options);

/// Parses "500ms", "2s", "1.5m" or "1h" to milliseconds; `where` names the key in the error.
[[nodiscard]] std::int64_t durationAt(const Json& value, const std::string& where);

}  // namespace disttask::sql_batch
