#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/hot_statement.hpp"
#include "statements/task.hpp"

#include <vector>

// What is asked only when people want to know why something waits. Each looks at a bounded number of rows.

// clang-format off
namespace disttask::storage::mysql::sql {

inline constexpr Sql kRoleHolder{"role_holder",
  "select o.exec_id, o.life, n.life, n.lease_ms, timestampdiff(second, l.renewed_at, current_timestamp())*1000 from disttask_owner o"
  " join disttask_owner_lease l on l.id=o.id left join disttask_node n on n.exec_id=o.exec_id where o.id=1"};
/// Running rows are at most as many as there are slots. A run in parallel has a slot of its own. Binds: limit.
inline constexpr Sql kSlotHolders{"slot_holders",
  "select h.exec_id, h.task_key, t.task_key, greatest(h.slots, h.runs) from"
  " (select s.exec_id, s.task_key, max(s.concurrency) slots, count(*) runs from disttask_node n"
  "  straight_join tidb_background_subtask s force index (ix_exec) on s.exec_id=n.exec_id"
  "  where n.life<>0 and s.state='running' group by s.exec_id, s.task_key limit ?) h"
  " left join tidb_global_task t on t.id=cast(h.task_key as signed) order by h.exec_id, h.task_key"};
/// As the owner counts who uses a node. Sub-queries instead of exists: the optimizer would turn these into scans. Binds: limit.
inline constexpr Sql kSlotUsers{"slot_users",
  "select n.exec_id, t.id, t.task_key, t.concurrency from tidb_global_task t straight_join disttask_node n"
  " where t.state='running' and n.life<>0 and coalesce("
  "(select p.id from tidb_background_subtask p force index (ix_exec) where p.exec_id=n.exec_id and p.state='pending' and p.task_key=cast(t.id as char) limit 1),"
  "(select r.id from tidb_background_subtask r force index (ix_exec) where r.exec_id=n.exec_id and r.state='running' and r.task_key=cast(t.id as char) limit 1)"
  ") is not null limit ?"};
/// Binds: task_key, step, state, limit.
inline constexpr Sql kNodesOfState{"nodes_of_state",
  "select p.exec_id, count(*) from (select s.exec_id from tidb_background_subtask s force index (ix_task)"
  " where s.task_key=? and s.step=? and s.state=? limit ?) p group by p.exec_id order by p.exec_id"};
/// Running rows are at most as many as there are slots. Binds: task_key, step, limit.
inline constexpr Sql kThrottledSubtasks{"throttled_subtasks",
  "select s.id, s.exec_id, s.checkpoint from tidb_background_subtask s force index (ix_task)"
  " where s.task_key=? and s.step=? and s.state='running' and locate('\"throttled_by\"', s.checkpoint)>0 limit ?"};
/// A time further ahead than the longest back-off counts as now. Binds: task_id, limit.
inline constexpr Sql kTriedSubtasks{"tried_subtasks",
  "select s.id, s.ordinal, s.exec_id, if(a.not_before>" DISTTASK_NOW_MS " and a.not_before<=" DISTTASK_NOW_MS "+3600000, a.not_before, 0),"
  " a.retries, a.abnormal_ends, coalesce(json_contains(a.handed_back,json_quote(s.exec_id)),0), a.last_error"
  " from disttask_attempt a force index (ix_task) join tidb_background_subtask s on s.id=a.subtask_id"
  " where a.task_id=? and s.state='pending' order by s.id limit ?"};
/// One subtask with its history of attempts. Binds: id, task_key.
inline constexpr Sql kSubtaskPlace{"subtask_place",
  "select s.id, s.ordinal, s.exec_id, if(a.not_before>" DISTTASK_NOW_MS " and a.not_before<=" DISTTASK_NOW_MS "+3600000, a.not_before, 0),"
  " a.retries, a.abnormal_ends, coalesce(json_contains(a.handed_back,json_quote(s.exec_id)),0), a.last_error, s.step, s.state, s.error"
  " from tidb_background_subtask s force index (primary) left join disttask_attempt a on a.subtask_id=s.id where s.id=? and s.task_key=?"};
inline constexpr Sql kSubtaskPlaceHistory{"subtask_place_history",
  "select s.id, s.ordinal, s.exec_id, 0, 0, 0, 0, null, s.step, s.state, s.error"
  " from tidb_background_subtask_history s where s.id=? and s.task_key=?"};
/// Binds: exec_id, task_key, step, ordinal, limit.
inline constexpr Sql kSubtasksAhead{"subtasks_ahead",
  "select count(*) from (select 1 from tidb_background_subtask s force index (ix_exec)"
  " where s.exec_id=? and s.state='pending' and s.task_key=? and s.step=? and s.ordinal<? limit ?) p"};
/// Binds: task_id.
inline constexpr Sql kRestingPlans{"resting_plans",
  "select p.kind, p.after_step, if(p.not_before>" DISTTASK_NOW_MS " and p.not_before<=" DISTTASK_NOW_MS "+3600000, p.not_before, 0)"
  " from disttask_plan p force index (primary) where p.task_id=? and p.complete=0 and p.failed=0"};

}  // namespace disttask::storage::mysql::sql
// clang-format on

namespace disttask::storage::mysql {

/// Returns what is asked beside a big table when people want to know why something waits.
std::vector<HotStatement> hotReasonStatements(const HotSample& sample);

}  // namespace disttask::storage::mysql
