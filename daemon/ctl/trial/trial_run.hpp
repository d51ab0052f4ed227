#pragma once
#include "disttask/plugin/task_type.hpp"
#include "disttask/storage/memory/memory_rows.hpp"

#include <filesystem>
#include <functional>
#include <memory>

namespace disttask::ctl {

/// How a trial is run.
struct TrialSettings {
  std::int32_t slots = 1;               ///< of the node, and of a subtask
  std::int32_t max_subtasks = 100'000;  ///< more of one step are refused
};

/// The one task that the rows of a trial hold.
inline constexpr proto::TaskId kTrialTask{1};

/// Runs the task of the rows, as far as it is, to its end on one node of this process: plans its steps, runs their
/// subtasks by the executor that a daemon has, reverts what failed or was cancelled, cleans up. The rows are kept in
/// `file`. `is_cancelled` is asked again and again; true = the task shall be cancelled. Returns the task as it ended.
/// Exceptions of planning end the task as failed.
proto::Task runTrial(
    const TrialSettings& settings,
    const std::shared_ptr<plugin::TaskType>& type,
    const std::filesystem::path& file,
    const std::function<bool()>& is_cancelled
);

}  // namespace disttask::ctl
