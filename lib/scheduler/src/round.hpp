#pragma once
#include "disttask/base/error.hpp"
#include "disttask/proto/ids.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/scheduler/placement.hpp"
#include "disttask/scheduler/scheduler_settings.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <functional>
#include <map>
#include <set>
#include <vector>

namespace disttask::scheduler {

/// What one round of the owner works with. Lives as long as the round.
struct Round {
  const SchedulerSettings& settings;
  runtime::Clock& clock;
  runtime::CancelToken token;
  proto::Life owner;  ///< fences every write
  const Placement& placement;
  const std::function<void(const std::vector<proto::ExecId>&)>& nudge;
  bool is_early = false;                               ///< somebody asked for this round: look at the balance now
  std::map<proto::ExecId, int> open_plans{};           ///< planner → open plans seen so far
  std::vector<proto::ExecId> strays{};                 ///< hold rows and are no nodes
  std::map<proto::TaskId, storage::TaskLook> looks{};  ///< what was read of all tasks at once; each is used once
  std::set<proto::TaskId> without_handed_back{};       ///< tasks of which no node has handed a subtask back

  /// Returns a call with a deadline of its own.
  [[nodiscard]] runtime::Call call() const { return {token, runtime::Deadline(clock, settings.call_limit)}; }
};

/// True for what ends a whole round: a lost role, a cancelled round, a store that is away. Anything else concerns one
/// task or node alone, and the others go on.
[[nodiscard]] inline bool endsRound(const Error& error) noexcept {
  const auto reaction = error.reaction();
  return reaction == Reaction::kLost || reaction == Reaction::kCancelled || reaction == Reaction::kReconnect;
}

}  // namespace disttask::scheduler
