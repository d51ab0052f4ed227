#pragma once
#include "disttask/observability/sampled_log.hpp"
#include "disttask/storage/scheduler_table.hpp"
#include "round.hpp"

#include <map>
#include <string>

namespace disttask::scheduler {

/// Sees to it that the clean-up hooks of ended tasks are run by some node (design rules 11, 20): a clean-up whose node
/// is gone, or that found none when the task ended, goes to another; so does one on a draining node where another fits.
/// Used by one round at a time.
class CleanUps {
 public:
  explicit CleanUps(storage::SchedulerTable& table) : table_(table) {}

  /// Looks now and then, and at once when the nodes have changed. Store failures and kLost pass through.
  void run(Round& round);

 private:
  /// Gives one to another node if it has to go there, or notes in `waiting` why it cannot. Returns whether it was
  /// given.
  bool place(Round& round, const storage::OpenCleanUp& clean_up, std::map<proto::TaskId, std::string>& waiting);

  storage::SchedulerTable& table_;
  runtime::TimePoint next_look_{};
  std::size_t nodes_seen_ = 0;                    ///< fingerprint of the last look
  std::map<proto::TaskId, std::string> waiting_;  ///< why, as logged
  observability::SampledLog failures_{std::chrono::seconds(30)};
};

}  // namespace disttask::scheduler
