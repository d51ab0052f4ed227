#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/task.hpp"

#include <string>

// What moves ended tasks to history (design rule 22). The owner's fence is scheduler.hpp's.

// clang-format off
#define DISTTASK_MOVED_TASK_COLUMNS \
  "id, task_key, type, dispatcher_id, state, priority, create_time, start_time, state_update_time, end_time, meta, concurrency, step," \
  " target_scope, error, modify_params, max_node_count, extra_params, keyspace"
#define DISTTASK_MOVED_SUBTASK_COLUMNS \
  "id, step, namespace, task_key, ddl_physical_tid, type, exec_id, exec_expired, state, checkpoint, concurrency, create_time, start_time," \
  " end_time, meta, ordinal, error, summary"

namespace disttask::storage::mysql::sql {

/// Ended tasks by id. Binds: id after which, age in seconds, limit.
inline constexpr Sql kEndedTasks{"ended_tasks",
  "select t.id, t.task_key, t.type, t.step from tidb_global_task t where t.state in " DISTTASK_ENDED_STATES " and t.id>?"
  " and coalesce(t.end_time,t.state_update_time,t.create_time)<=date_sub(current_timestamp(), interval ? second) order by t.id limit ?"};
/// Binds: task_key.
inline constexpr Sql kActiveOfTask{"active_of_task",
  "select 1 from tidb_background_subtask s force index (ix_task) where s.task_key=? and s.state in ('pending','running') limit 1"};
/// Holds the task's row. Binds: id.
inline constexpr Sql kEndedTaskLock{"ended_task_lock",
  "select 1 from tidb_global_task t where t.id=? and t.state in " DISTTASK_ENDED_STATES " for update"};
/// Subtasks at rest with their sizes. Binds: task_key, limit.
inline constexpr Sql kRestingOfTask{"resting_of_task",
  "select s.id, coalesce(length(s.meta),0)+length(s.checkpoint)+coalesce(length(s.error),0) from tidb_background_subtask s force index (ix_task)"
  " where s.task_key=? and s.state not in ('pending','running') limit ?"};
/// Binds: task_key.
inline constexpr Sql kAnyOfTask{"any_of_task",
  "select 1 from tidb_background_subtask s force index (ix_task) where s.task_key=? limit 1"};

/// Copies subtasks. A row without a time of change gets one: history is cleared by it. Binds: ids.
inline std::string copySubtasksText(std::size_t count) {
  return "insert into tidb_background_subtask_history (" DISTTASK_MOVED_SUBTASK_COLUMNS ", state_update_time)"
         " select " DISTTASK_MOVED_SUBTASK_COLUMNS ", coalesce(state_update_time,unix_timestamp())"
         " from tidb_background_subtask force index (primary) where id in (" + placeholders(count) + ")";
}
/// Binds: ids.
inline std::string deleteSubtasksText(std::size_t count) {
  return "delete from tidb_background_subtask where id in (" + placeholders(count) + ")";
}
/// Binds: ids.
inline std::string deleteAttemptsText(std::size_t count) {
  return "delete from disttask_attempt where subtask_id in (" + placeholders(count) + ")";
}

inline constexpr Sql kCopyTask{"copy_task",
  "insert into tidb_global_task_history (" DISTTASK_MOVED_TASK_COLUMNS ") select " DISTTASK_MOVED_TASK_COLUMNS
  " from tidb_global_task where id=?"};
inline constexpr Sql kDeleteTask{"delete_task", "delete from tidb_global_task where id=?"};
inline constexpr Sql kDeletePlans{"delete_plans", "delete from disttask_plan where task_id=?"};
/// Binds: task_id.
inline constexpr Sql kDeleteAttempts{"delete_attempts", "delete from disttask_attempt where task_id=?"};

/// Attempts whose task is not live. Binds: limit.
inline constexpr Sql kLeftAttemptIds{"left_attempt_ids",
  "select a.subtask_id from disttask_attempt a left join tidb_global_task t on t.id=a.task_id where t.id is null limit ?"};

/// The oldest subtasks in history. Binds: seconds, limit.
inline constexpr Sql kOldSubtasks{"old_subtasks",
  "select h.id from tidb_background_subtask_history h force index (idx_state_update_time)"
  " where h.state_update_time<unix_timestamp()-? order by h.state_update_time limit ?"};
/// Binds: ids.
inline std::string forgetSubtasksText(std::size_t count) {
  return "delete from tidb_background_subtask_history where id in (" + placeholders(count) + ")";
}

}  // namespace disttask::storage::mysql::sql
// clang-format on
