#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "disttask/storage/plan_table.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace disttask::storage::mysql {

/// Number of columns of DISTTASK_SCHEDULED_COLUMNS.
inline constexpr std::uint32_t kNumScheduledColumns = 7;

/// Reads the current row of DISTTASK_SCHEDULED_COLUMNS from column 1 on; `task_id` is what the query asked for.
[[nodiscard]] proto::SubtaskBase readScheduled(const sqlclient::Result& row, TaskId task_id);
/// Reads the current row of DISTTASK_PLAN_COLUMNS, and the cursor after them where the query has it.
[[nodiscard]] Plan readPlan(const sqlclient::Result& row, std::uint32_t first = 1);
/// Reads what the probes of a step found, in the columns from `first` on.
[[nodiscard]] SubtaskPresence readPresence(const sqlclient::Result& row, std::uint32_t first);
/// Reads one plan without a lock.
[[nodiscard]] std::optional<Plan> queryPlan(
    sqlclient::Connection& connection, TaskId task_id, PlanKind kind, Step after_step
);

/// Reads a task's state by id; nothing: it is not live, or its state is unknown.
[[nodiscard]] std::optional<TaskState> readTaskState(sqlclient::Connection& connection, TaskId id);

/// Returns the stored text of a kind: "step", "revert" or "cleanup".
[[nodiscard]] const char* toText(PlanKind kind) noexcept;
/// Returns an optional text as a bind.
[[nodiscard]] sqlclient::Value toBind(const std::optional<std::string>& text);

}  // namespace disttask::storage::mysql
