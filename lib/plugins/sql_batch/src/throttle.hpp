#pragma once
#include "disttask/plugin_common/sessions.hpp"
#include "disttask_plugin.hpp"
#include "throttle_options.hpp"

#include <chrono>
#include <mutex>
#include <optional>
#include <string>

namespace disttask::sql_batch {

/// Says whether the servers can take the next chunk. The answers of servers hold for half a second for all runs of a
/// step on this node. Any thread.
class Throttle {
 public:
  using Clock = std::chrono::steady_clock;

  Throttle(ThrottleOptions options, plugin_common::Sessions& sessions)
      : sessions_(sessions), options_(std::move(options)) {}

  [[nodiscard]] ThrottleOptions options() const;
  void setOptions(ThrottleOptions options);

  /// Returns why the next chunk has to wait, in words; nothing: it may run. `connection` names the server that is
  /// worked on. Throws kPrecondition when critical_load is exceeded, and what its session throws. A replica that does
  /// not answer, or that this node does not know, is a reason to wait, and so is a variable that the server does not
  /// have: a slip in a later meta shall not end a task that is half done.
  std::optional<std::string> reasonToWait(const sdk::Host& host, const std::string& connection);

  /// Checks that the server has each status variable; throws kInvalidArgument otherwise. For the planner.
  static void requireVariables(sqlclient::Connection& connection, const ThrottleOptions& options);

  /// Returns what holds the chunks up now; empty: nothing.
  [[nodiscard]] std::string lastReason() const;

  /// Checks that each replica answers as one; throws kInvalidArgument otherwise. For the planner.
  static void requireReplicas(const sdk::Host& host, plugin_common::Sessions& sessions, const ThrottleOptions& options);

 private:
  plugin_common::Sessions& sessions_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  ThrottleOptions options_;
  std::optional<Clock::time_point> asked_at_;
  std::optional<std::string> reason_;
};

}  // namespace disttask::sql_batch
