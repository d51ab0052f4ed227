#pragma once
#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"
#include "disttask/proto/node.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/runtime/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace disttask::app {

enum class Phase : std::uint8_t { kStarting, kWorking, kStopping };

/// What a daemon knows of itself at one moment, from memory alone. A value.
struct NodeReport {
  Phase phase = Phase::kStarting;
  std::string waits_for;  ///< starting or stopping: what takes long
  std::string exec_id;
  std::string scope;
  std::string version;
  std::int64_t epoch = 0;
  runtime::Duration uptime{};

  std::int32_t slots = 0;
  std::int32_t slots_used = 0;
  std::vector<proto::TaskBase> tasks;  ///< who holds slots, lowest rank first
  std::int64_t runs = 0;
  std::int64_t ends_unwritten = 0;
  proto::WantedState wanted = proto::WantedState::kNormal;
  std::map<std::string, std::string> types;  ///< task type → version

  bool is_owner = false;
  std::int64_t skew = 0;  ///< as the owner last counted it
  std::int64_t skew_task = 0;
  std::int64_t moved = 0;

  std::optional<runtime::Duration> store_took;  ///< of the last answered poll
  std::optional<runtime::Duration> store_age;   ///< since that answer
  bool store_answers = false;                   ///< the last poll was answered
  std::optional<Error> store_error;             ///< what the store refuses this node now

  runtime::Duration lease{};
  runtime::Duration lease_left{};
  bool may_start = false;                 ///< the lease allows new runs
  std::vector<std::string> still_loops;   ///< loops that stand still for too long
  std::string reload_trouble;             ///< why the settings of the last reload do not hold; empty: they do
  std::vector<std::string> need_restart;  ///< keys that were changed and need a restart
  std::string http_trouble;               ///< why no page is served; empty: they are, or none are wanted
};

/// Returns one line for whoever asks first (STATUS of the service manager): "2/8 slots, 1 tasks, 2 runs, store 1.2 ms".
[[nodiscard]] std::string statusLine(const NodeReport& report);
/// Returns all of it, for /statusz and the log.
[[nodiscard]] Json toJson(const NodeReport& report);

/// One thing that must hold for a node to take work.
struct Check {
  std::string name;
  std::string trouble;  ///< empty: it holds
};
/// Returns what readiness consists of: phase, lease, store, loops. Pure.
[[nodiscard]] std::vector<Check> readiness(const NodeReport& report);

}  // namespace disttask::app
