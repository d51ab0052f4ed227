#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/task.hpp"

#include <string>

// What submitters and disttaskctl send. Readers look in the live tables first, then in history (design rule 22).

// clang-format off
namespace disttask::storage::mysql::sql {

// --- submit ---

/// The largest node known; NULL when none has registered its slots.
inline constexpr Sql kLargestNode{"largest_node", "select max(cpu_count) from dist_framework_meta where cpu_count>0"};
/// Binds: task_key, type, submit token, priority, meta, slots, scope, max nodes, extra params (JSON).
inline constexpr Sql kSubmit{"submit_task",
  "insert into tidb_global_task (task_key, type, dispatcher_id, state, priority, create_time, meta, concurrency, step, target_scope,"
  " max_node_count, extra_params, keyspace)"
  " values (?,?,?,'pending',?,current_timestamp(),?,?,-1,?,?,convert(? using utf8mb4),'')"};
/// Id and submit token of a key.
inline constexpr Sql kOwnerOfKey{"task_of_key", "select id, dispatcher_id from tidb_global_task where task_key=?"};
inline constexpr Sql kOwnerOfKeyHistory{"task_of_key_history", "select id, dispatcher_id from tidb_global_task_history where task_key=?"};

// --- cancel, pause, resume, modify ---

/// Holds the task's row. Binds: id.
inline constexpr Sql kTaskOfChange{"task_of_change", "select t.state, t.step from tidb_global_task t where t.id=? for update"};
/// Binds: new state, 1 when its error goes, id, state as read.
inline constexpr Sql kChangeTask{"change_task",
  "update tidb_global_task force index (primary) set state=?, error=if(?=1,null,error), state_update_time=current_timestamp()"
  " where id=? and state=?"};
/// Binds: new state, modify_params (JSON), id, state as read.
inline constexpr Sql kModifyTask{"modify_task",
  "update tidb_global_task force index (primary) set state=?, modify_params=convert(? using utf8mb4),"
  " state_update_time=current_timestamp() where id=? and state=?"};
/// What a modification that goes on asks for. Binds: id.
inline constexpr Sql kIsModifying{"is_modifying",
  "select cast(modify_params as char) from tidb_global_task where id=? and state='modifying'"};
/// How many modifications there were.
inline constexpr Sql kModifications{"modifications", "select modifications from disttask_owner where id=1"};
/// Live nodes that have not applied so many. Binds: number.
inline constexpr Sql kNodesBehind{"nodes_behind",
  "select exec_id from disttask_node where life<>0 and modifications<? order by exec_id"};
inline constexpr Sql kStateOfTask{"state_of_task", "select state from tidb_global_task where id=?"};
inline constexpr Sql kStateOfTaskHistory{"state_of_task_history", "select state from tidb_global_task_history where id=?"};

// --- resolve ---

inline constexpr Sql kSessionUser{"session_user", "select user()"};
/// Rows of a step that ended without success. Binds: task_key, step, state, limit.
inline constexpr Sql kFailedRows{"failed_rows",
  "select s.id, s.error from tidb_background_subtask s force index (ix_task) where s.task_key=? and s.step=? and s.state=? limit ?"};
/// Binds: error, id, task_key.
inline constexpr Sql kSkipFailed{"skip_failed",
  "update tidb_background_subtask force index (primary) set state='succeed', error=?, state_update_time=unix_timestamp()"
  " where id=? and task_key=? and state in ('failed','canceled')"};
/// Binds: task_key, ids.
inline std::string retryFailedText(std::size_t count) {
  return "update tidb_background_subtask force index (primary) set state='pending', error=null, end_time=null,"
         " state_update_time=unix_timestamp() where task_key=? and state in ('failed','canceled') and id in (" + placeholders(count) + ")";
}

// --- one subtask ---

inline constexpr Sql kSubtaskById{"subtask_by_id",
  "select " DISTTASK_SUBTASK_COLUMNS " from tidb_background_subtask s where s.id=?"};
inline constexpr Sql kSubtaskByIdHistory{"subtask_by_id_history",
  "select " DISTTASK_SUBTASK_COLUMNS " from tidb_background_subtask_history s where s.id=?"};
/// Binds: error (JSON), id, task_key, state as read (pending or paused).
inline constexpr Sql kCancelSubtask{"cancel_subtask",
  "update tidb_background_subtask force index (primary) set state='canceled', error=?, state_update_time=unix_timestamp(),"
  " end_time=current_timestamp() where id=? and task_key=? and state=?"};

// --- reads ---

inline constexpr Sql kTaskByIdHistory{"task_by_id_history", "select " DISTTASK_TASK_COLUMNS " from tidb_global_task_history t where t.id=?"};
inline constexpr Sql kTaskByKey{"task_by_key", "select " DISTTASK_TASK_COLUMNS " from tidb_global_task t where t.task_key=?"};
inline constexpr Sql kTaskByKeyHistory{"task_by_key_history",
  "select " DISTTASK_TASK_COLUMNS " from tidb_global_task_history t where t.task_key=?"};

/// One row per step and state, live and history in one statement, so that a row that moves meanwhile counts once: step, state, rows, sums of row_count,
/// bytes and read_bytes, first id, first create time. Binds: task_key, task_key.
inline constexpr Sql kProgress{"progress",
  "select x.step, x.state, count(*), sum(x.row_count), sum(x.bytes), sum(x.read_bytes), min(x.id) from ("
  "select s.id, s.step, s.state,"
  " cast(json_extract(s.summary,'$.row_count') as signed) as row_count,"
  " cast(json_extract(s.summary,'$.bytes') as signed) as bytes,"
  " cast(json_extract(s.summary,'$.read_bytes') as signed) as read_bytes"
  " from tidb_background_subtask s where s.task_key=?"
  " union all "
  "select h.id, h.step, h.state,"
  " cast(json_extract(h.summary,'$.row_count') as signed),"
  " cast(json_extract(h.summary,'$.bytes') as signed),"
  " cast(json_extract(h.summary,'$.read_bytes') as signed)"
  " from tidb_background_subtask_history h where h.task_key=?"
  " and not exists (select 1 from tidb_background_subtask l where l.id=h.id)"
  ") x group by x.step, x.state"};
/// Binds: task_id.
inline constexpr Sql kPlansOfTask{"plans_of_task", "select step, complete from disttask_plan where task_id=? and kind='step' and step is not null"};

/// Subtasks of a task by step and ordinal. Binds: task_key, [step,] limit.
inline constexpr Sql kSubtasksOfTask{"subtasks_of_task",
  "select " DISTTASK_SUBTASK_COLUMNS " from tidb_background_subtask s where s.task_key=? order by s.step, s.ordinal limit ?"};
inline constexpr Sql kSubtasksOfTaskHistory{"subtasks_of_task_history",
  "select " DISTTASK_SUBTASK_COLUMNS " from tidb_background_subtask_history s where s.task_key=? order by s.step, s.ordinal limit ?"};
inline constexpr Sql kSubtasksOfStep{"subtasks_of_step",
  "select " DISTTASK_SUBTASK_COLUMNS " from tidb_background_subtask s where s.task_key=? and s.step=? order by s.ordinal limit ?"};
inline constexpr Sql kSubtasksOfStepHistory{"subtasks_of_step_history",
  "select " DISTTASK_SUBTASK_COLUMNS " from tidb_background_subtask_history s where s.task_key=? and s.step=? order by s.ordinal limit ?"};

/// Newest first, meta left out. Binds: type, type (empty = all), states, limit.
inline std::string listTasksText(bool history, std::size_t states) {
  std::string text =
      "select t.id, t.task_key, t.type, t.state, t.step, t.priority, t.concurrency, t.target_scope, t.max_node_count,"
      " cast(t.extra_params as char), unix_timestamp(t.create_time), '' as meta, t.error, unix_timestamp(t.start_time),"
      " unix_timestamp(t.state_update_time), unix_timestamp(t.end_time) from ";
  text += history ? "tidb_global_task_history" : "tidb_global_task";
  text += " t where (?='' or t.type=?)";
  if (states > 0) text += " and t.state in (" + placeholders(states) + ")";
  return text + " order by t.id desc limit ?";
}

}  // namespace disttask::storage::mysql::sql
// clang-format on
