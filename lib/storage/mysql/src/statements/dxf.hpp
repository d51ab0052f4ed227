#pragma once
#include "statements/task.hpp"

// What a node sends beside a live TiDB instead of the statements that need our indexes. The state is in none of TiDB's
// indexes, so a look by exec_id walks over all ended rows of the node that TiDB keeps (10 minutes or more of them). A
// task's rows are looked at from the last ordinal down: while there is work, it is there. TiDB keeps deleted index
// entries for minutes too, and rows of one task by their ordinals have none.

// clang-format off
namespace disttask::storage::mysql::sql {

/// Tasks in a state in which nodes act, by rank.
inline constexpr Sql kDxfActiveTasks{"dxf_active_tasks",
  "select " DISTTASK_TASK_BASE_COLUMNS " from tidb_global_task t where t.state in ('running','reverting','pausing')"
  " order by t.priority, t.create_time, t.id"};
/// Slots of a pending or running row of a step; a modification changes those of all rows that have not ended. No bind of TiDB's indexes says whose rows
/// they are, so where this node has none it walks over the step. Binds: task_key, step, exec_id.
inline constexpr Sql kDxfWorkOfStep{"dxf_work_of_step",
  "select s.concurrency from tidb_background_subtask s force index (uk_task_key_step_ordinal)"
  " where s.task_key=? and s.step=? and s.exec_id=? and s.state in ('pending','running') order by s.ordinal desc limit 1"};
/// The same of all steps: those of a next one may be there while TiDB still inserts them, and its task is paused or cancelled. Binds: task_key, exec_id.
inline constexpr Sql kDxfWorkOfTask{"dxf_work_of_task",
  "select s.concurrency from tidb_background_subtask s force index (uk_task_key_step_ordinal)"
  " where s.task_key=? and s.exec_id=? and s.state in ('pending','running') order by s.step desc, s.ordinal desc limit 1"};
/// The step whose rows run. Binds: id.
inline constexpr Sql kDxfStepOfTask{"dxf_step_of_task", "select t.step from tidb_global_task t where t.id=?"};
/// 1: the task is being paused. Binds: id.
inline constexpr Sql kDxfIsPausing{"dxf_is_pausing",
  "select t.state='pausing' from tidb_global_task t where t.id=?"};
/// As kRunningRows, of the step whose rows run. Binds: task_key, step, exec_id.
inline constexpr Sql kDxfRunningRows{"dxf_running_rows",
  "select s.id, s.ddl_physical_tid from tidb_background_subtask s force index (uk_task_key_step_ordinal)"
  " where s.task_key=? and s.step=? and s.exec_id=? and s.state='running' order by s.ordinal limit 1000"};
/// As kPoll; whether there is work is asked by task afterwards, if any task is active. Binds: exec_id, three times.
inline constexpr Sql kDxfPoll{"dxf_poll",
  "select n.life, n.wanted, m.cpu_count, o.exec_id, o.life, l.renewals, o.term, n.wanted_until<=now(), o.modifications,"
  " (select max(t.id) from tidb_global_task t where t.state in ('running','reverting','pausing')),"
  " (select min(q.failed) from disttask_plan q force index (ix_planner) where q.planner=? and q.complete=0 and q.failed=0)"
  " from disttask_owner o join disttask_owner_lease l on l.id=o.id"
  " left join disttask_node n on n.exec_id=? left join dist_framework_meta m on m.host=?"
  " where o.id=1"};
/// Who runs subtasks of active tasks, TiDB's own nodes too: exec_id, task_key, key of the task, slots. Binds: limit.
inline constexpr Sql kDxfSlotHolders{"dxf_slot_holders",
  "select h.exec_id, h.id, h.task_key, greatest(h.slots, h.runs) from"
  " (select s.exec_id, t.id, t.task_key, max(s.concurrency) slots, count(*) runs from tidb_global_task t"
  "  straight_join tidb_background_subtask s force index (uk_task_key_step_ordinal) on s.task_key=cast(t.id as char)"
  "  where t.state in ('running','reverting','pausing') and s.state='running' group by s.exec_id, t.id, t.task_key limit ?) h"
  " order by h.exec_id, h.id"};
/// Rows of a node that TiDB's scheduler moves when the node is gone, of any task: for rare looks, it walks over the ended ones. Binds: exec_id.
inline constexpr Sql kDxfUnendedOfNode{"dxf_unended_of_node",
  "select count(*) from tidb_background_subtask s force index (idx_exec_id)"
  " where s.exec_id=? and s.state in ('pending','running')"};

// --- what TiDB's own executor leaves where our own schema says more: a failed row has no end time, a paused one keeps the times that it has ---

/// Binds: id, exec_id, token.
inline constexpr Sql kDxfPauseRun{"dxf_pause_subtask",
  "update tidb_background_subtask force index (primary) set state='paused'"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid=?"};
/// As kPauseUnrun. Binds: mark, id, exec_id, state seen, token seen.
inline constexpr Sql kDxfPauseUnrun{"dxf_pause_unrun_subtask",
  "update tidb_background_subtask force index (primary) set state='paused', ddl_physical_tid=?"
  " where id=? and exec_id=? and state=? and ddl_physical_tid<=>?"};
/// As kFailOrphan. Binds: error, id, exec_id, token seen.
inline constexpr Sql kDxfFailOrphan{"dxf_fail_orphan",
  "update tidb_background_subtask force index (primary) set state='failed', error=?, state_update_time=unix_timestamp()"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid<=>?"};

}  // namespace disttask::storage::mysql::sql
// clang-format on

namespace disttask::storage::mysql {

/// Returns what the executor's loops send beside a live TiDB, with its indexes; the texts are still to be translated.
std::vector<HotStatement> hotDxfStatements(const HotSample& sample);

}  // namespace disttask::storage::mysql
