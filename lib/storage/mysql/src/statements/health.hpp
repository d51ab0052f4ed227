#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/task.hpp"

// What a look for trouble asks. Some read a whole index: for people, never for loops.

// clang-format off
namespace disttask::storage::mysql::sql {

inline constexpr Sql kStoreTime{"health.store_time", "select floor(unix_timestamp(now(3))*1000)"};
inline constexpr Sql kSessionCipher{"health.cipher", "show session status like 'Ssl_cipher'"};
inline constexpr Sql kReadOnly{"health.read_only", "select @@global.read_only"};
inline constexpr Sql kReadOnlyTiDb{"health.read_only_tidb", "select @@global.tidb_restricted_read_only or @@global.tidb_super_read_only"};

/// Nodes that are not alive, or not known, and have rows that wait or run. The sub-queries look at one index entry each.
inline constexpr Sql kDeadNodesWithRows{"health.dead_holders",
  "select h.exec_id, n.exec_id is not null from (select distinct exec_id from tidb_background_subtask force index (ix_exec)) h"
  " left join disttask_node n on n.exec_id=h.exec_id where (n.exec_id is null or n.life=0) and ("
  " (select 1 from tidb_background_subtask p force index (ix_exec) where p.exec_id<=>h.exec_id and p.state='pending' limit 1) is not null or"
  " (select 1 from tidb_background_subtask r force index (ix_exec) where r.exec_id<=>h.exec_id and r.state='running' limit 1) is not null)"
  " order by h.exec_id limit ?"};
/// Binds: exec_id, state, limit.
inline constexpr Sql kRowsOfNode{"health.rows_of_node",
  "select count(*) from (select 1 from tidb_background_subtask s force index (ix_exec) where s.exec_id=? and s.state=? limit ?) x"};

/// Binds: limit.
inline constexpr Sql kUnfinishedHealth{"health.unfinished",
  "select " DISTTASK_TASK_BASE_COLUMNS ", timestampdiff(second, coalesce(t.state_update_time,t.create_time), current_timestamp()),"
  " (select 1 from tidb_background_subtask a force index (ix_task) where a.task_key=cast(t.id as char) and a.state in ('pending','running') limit 1),"
  " (select 1 from tidb_background_subtask p force index (ix_task) where p.task_key=cast(t.id as char) and p.step=t.step and p.state='paused' limit 1)"
  " from tidb_global_task t where t.state not in " DISTTASK_ENDED_STATES " order by t.id limit ?"};
/// Binds: limit.
inline constexpr Sql kOpenPlansHealth{"health.open_plans",
  "select p.task_id, t.task_key, t.state, p.kind, p.planner, coalesce(n.life,0)<>0, p.failed, p.error,"
  " timestampdiff(second, p.created, current_timestamp())"
  " from disttask_plan p left join tidb_global_task t on t.id=p.task_id left join disttask_node n on n.exec_id=p.planner"
  " where p.complete=0 order by p.task_id limit ?"};
/// Binds: limit.
inline constexpr Sql kLostRows{"health.lost_rows",
  "select h.task_key, t.state from (select distinct task_key from tidb_background_subtask force index (ix_task)) h"
  " left join tidb_global_task t on cast(t.id as char)=h.task_key"
  " where (t.id is null or t.state in " DISTTASK_ENDED_STATES ") and"
  " (select 1 from tidb_background_subtask s force index (ix_task) where s.task_key<=>h.task_key and s.state in ('pending','running') limit 1)"
  " is not null limit ?"};
inline constexpr Sql kStatesOfTasks{"health.states", "select t.state, count(*) from tidb_global_task t group by t.state"};
/// Binds: limit.
inline constexpr Sql kLeftAttempts{"health.left_attempts",
  "select count(*) from (select 1 from disttask_attempt a left join tidb_global_task t on t.id=a.task_id where t.id is null limit ?) x"};

/// Binds: exec_id, limit.
inline constexpr Sql kRunsOfNode{"health.runs_of_node",
  "select s.id, s.task_key, t.task_key, s.step, s.ordinal, s.concurrency, unix_timestamp()-s.start_time"
  " from tidb_background_subtask s force index (ix_exec) left join tidb_global_task t on t.id=cast(s.task_key as signed)"
  " where s.exec_id=? and s.state='running' order by s.task_key, s.step, s.ordinal limit ?"};
/// What waits or runs on a node, by task. Binds: exec_id, limit.
inline constexpr Sql kTasksOfNode{"health.tasks_of_node",
  "select cast(s.task_key as signed), t.task_key, t.state, t.target_scope,"
  " cast(sum(s.state='pending') as signed), cast(sum(s.state='running') as signed)"
  " from tidb_background_subtask s force index (ix_exec) left join tidb_global_task t on t.id=cast(s.task_key as signed)"
  " where s.exec_id=? and s.state in ('pending','running') group by s.task_key, t.task_key, t.state, t.target_scope"
  " order by 1 limit ?"};
/// All that names a node, by task. Binds: exec_id, limit.
inline constexpr Sql kRowsNamingNode{"health.rows_naming_node",
  "select cast(s.task_key as signed), t.task_key, t.state, t.target_scope,"
  " cast(sum(s.state='pending') as signed), cast(sum(s.state='running') as signed), cast(sum(s.state='paused') as signed),"
  " cast(sum(s.state not in ('pending','running','paused')) as signed), unix_timestamp(coalesce(t.end_time,t.state_update_time,t.create_time))"
  " from tidb_background_subtask s force index (ix_exec) left join tidb_global_task t on t.id=cast(s.task_key as signed)"
  " where s.exec_id=? group by s.task_key, t.task_key, t.state, t.target_scope, t.end_time, t.state_update_time, t.create_time order by 1 limit ?"};
/// Binds: limit.
inline constexpr Sql kRegistered{"health.registered", "select m.host, m.role, m.cpu_count from dist_framework_meta m order by m.host limit ?"};
/// Binds: planner.
inline constexpr Sql kPlansOfNode{"health.plans_of_node",
  "select count(*) from disttask_plan p force index (ix_planner) where p.planner=? and p.complete=0 and p.failed=0"};

/// Binds: schema, table.
inline constexpr Sql kFirstColumn{"health.first_column",
  "select column_name from information_schema.columns where table_schema=? and table_name=? order by ordinal_position limit 1"};
/// A statement that needs the right (select, insert, update of `column`, delete) and is only explained. Names are quoted.
inline std::string rightProbeText(std::string_view right, const std::string& table, const std::string& column) {
  if (right == "insert") return "explain insert into " + table + " select * from " + table + " where 1=0";
  if (right == "update") return "explain update " + table + " set " + column + "=" + column + " where 1=0";
  if (right == "delete") return "explain delete from " + table + " where 1=0";
  return "explain select 1 from " + table + " where 1=0";
}

}  // namespace disttask::storage::mysql::sql
// clang-format on
