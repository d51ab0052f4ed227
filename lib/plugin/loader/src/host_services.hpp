#pragma once
#include "disttask/observability/sampled_log.hpp"
#include "disttask/plugin/connection_source.hpp"
#include "disttask/runtime/clock.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::plugin {

/// Whose call it is, for log lines and for who may use a connection. Ids are 0 where there is none.
struct CallNames {
  std::string type;
  std::int64_t task_id = 0;
  std::int64_t subtask_id = 0;
};

/// What all calls into plugins share. Any thread.
struct HostServices {
  HostServices(ConnectionSource& the_connections, runtime::Clock& the_clock)
      : connections(the_connections), clock(the_clock) {}

  /// Writes a plugin's own message: the line "plugin message" with the text in the field `text`. Returns the name of
  /// its level, or nothing when such lines are not logged.
  std::string_view logPlugin(std::int32_t level, const std::string& text, const CallNames& names) const;
  /// Writes that a plugin broke a rule of the ABI: the line "plugin misbehaving", the same thing at most every ten
  /// seconds.
  void logMisbehaving(std::string_view what, const CallNames& names) const;

  ConnectionSource& connections;
  runtime::Clock& clock;

 private:
  mutable observability::SampledLog misbehaving_{std::chrono::seconds(10)};
};

}  // namespace disttask::plugin
