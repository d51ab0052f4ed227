#pragma once
#include "disttask/runtime/clock.hpp"

#include <cstdint>

namespace disttask::scheduler {

/// How the scheduler role is held and how often it looks.
struct SchedulerSettings {
  bool enabled = true;                                 ///< false: this node never takes the role
  runtime::Duration lease = std::chrono::seconds(30);  ///< of the role; the holder stops acting at two thirds of it
  runtime::Duration renew_interval = std::chrono::milliseconds(7500);
  runtime::Duration busy_interval =
      std::chrono::milliseconds(500);  ///< between rounds while tasks are at work; shorter after a change
  runtime::Duration idle_interval = std::chrono::seconds(2);     ///< between rounds when all wait or there are none
  runtime::Duration balance_interval = std::chrono::seconds(2);  ///< between two counts of a task's rows per node
  runtime::Duration call_limit = std::chrono::seconds(10);       ///< of each call to the store
  std::int32_t max_tasks_at_once = 16;  ///< of highest rank; tasks that wait for a node or a type do not count
  std::int32_t max_pending_looked =
      1000;                            ///< pending tasks per look of a round; what is behind them is looked at in turn
  std::int32_t max_abnormal_ends = 3;  ///< ends of its node, when it ran alone, after which a subtask fails
};

}  // namespace disttask::scheduler
