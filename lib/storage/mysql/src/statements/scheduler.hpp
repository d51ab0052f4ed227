#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/hot_statement.hpp"
#include "statements/task.hpp"

#include <cstddef>
#include <string>
#include <vector>

// What the owner of the scheduler role sends (contract 2.2, 2.3; design rule 19). JSON and task_key as in task.hpp.
// Loops look only at index entries: one state per look, and counts run over ix_exec, which holds all they need.

// clang-format off

/// Columns of a subtask that scheduling needs, in the order of scheduler_rows.cpp.
#define DISTTASK_SCHEDULED_COLUMNS "s.id, s.step, s.ordinal, s.exec_id, s.state, s.concurrency, s.ddl_physical_tid"

/// Which kinds of rows a step has: ends of index ranges only. Binds, kNumStepProbes times: task_key, step.
#define DISTTASK_STEP_PROBES \
  "(select 1 from tidb_background_subtask f force index (ix_task) where f.task_key=? and f.step=? and f.state='failed' limit 1)," \
  " (select 1 from tidb_background_subtask c force index (ix_task) where c.task_key=? and c.step=? and c.state='canceled' limit 1)," \
  " (select 1 from tidb_background_subtask p force index (ix_task) where p.task_key=? and p.step=? and p.state='pending' limit 1)," \
  " (select 1 from tidb_background_subtask r force index (ix_task) where r.task_key=? and r.step=? and r.state='running' limit 1)," \
  " (select 1 from tidb_background_subtask z force index (ix_task) where z.task_key=? and z.step=? and z.state='paused' limit 1)"

namespace disttask::storage::mysql::sql {

// --- the role ---

inline constexpr Sql kOwner{"owner",
  "select o.exec_id, o.life, l.renewals, o.term, n.address, n.nudge_token from disttask_owner o"
  " join disttask_owner_lease l on l.id=o.id left join disttask_node n on n.exec_id=o.exec_id where o.id=1"};
/// First statement of each transaction of the owner. Binds: life.
inline constexpr Sql kOwnerFence{"owner_fence", "update disttask_owner set seq=seq+1 where id=1 and life=?"};
/// Binds: exec_id, new life, life as observed.
inline constexpr Sql kOwnerTake{"owner_take",
  "update disttask_owner set exec_id=?, life=?, seq=seq+1, term=term+1 where id=1 and life=?"};
inline constexpr Sql kOwnerLeaseLock{"owner_lease_lock", "select life, renewals from disttask_owner_lease where id=1 for update"};
/// Binds: new life.
inline constexpr Sql kOwnerLeaseTake{"owner_lease_take", "update disttask_owner_lease set life=?, renewals=0, renewed_at=current_timestamp() where id=1"};
/// Binds: life.
/// The time is for people only. Binds: life.
inline constexpr Sql kOwnerRenew{"owner_renew", 
  "update disttask_owner_lease set renewals=renewals+1, renewed_at=current_timestamp() where id=1 and life=?"};
inline constexpr Sql kOwnerRelease{"owner_release", "update disttask_owner set life=0, seq=seq+1 where id=1 and life=?"};
inline constexpr Sql kOwnerLeaseRelease{"owner_lease_release",
  "update disttask_owner_lease set life=0, renewals=0 where id=1 and life=?"};

// --- tasks ---

/// Those whose next thing is the owner's: the first that are pending, in rank order, pending ones whose first step is being planned (a second time when
/// they are among the first), and all others. Binds: limit.
inline std::string unfinishedTasksText() {
  return "(select " DISTTASK_TASK_BASE_COLUMNS " from tidb_global_task t where t.state='pending'"
         " order by t.priority, t.create_time, t.id limit ?) union all (select " DISTTASK_TASK_BASE_COLUMNS
         " from disttask_plan p straight_join tidb_global_task t on t.id=p.task_id where p.kind='step' and p.after_step=-1 and t.state='pending')"
         " union all (select " DISTTASK_TASK_BASE_COLUMNS
         " from tidb_global_task t where t.state<>'pending' and t.state in (" +
         quoted(proto::statesOf(proto::TaskActor::kOwner)) + "))";
}
/// Those that a task outranks, in rank order. Binds: id, limit.
inline constexpr Sql kPendingTasksBehind{"pending_tasks_behind",
  "select " DISTTASK_TASK_BASE_COLUMNS " from tidb_global_task r join tidb_global_task t on t.priority>r.priority"
  " or (t.priority=r.priority and (t.create_time>r.create_time or (t.create_time=r.create_time and t.id>r.id)))"
  " where r.id=? and t.state='pending' order by t.priority, t.create_time, t.id limit ?"};
inline constexpr Sql kTaskStateLock{"task_state_lock", "select t.state, t.step from tidb_global_task t where t.id=? for update"};
inline constexpr Sql kTaskState{"task_state", "select t.state, t.step from tidb_global_task t where t.id=?"};
/// Binds: new state, 1 when it succeeds, error or NULL (then it stays), 1 when it begins to run, 1 when it ends, id, state as seen.
inline constexpr Sql kTaskChange{"task_change",
  "update tidb_global_task set state=?, step=if(?=1,-2,step), error=coalesce(?,error),"
  " start_time=if(?=1,coalesce(start_time,current_timestamp()),start_time),"
  " end_time=if(?=1,current_timestamp(),end_time), state_update_time=current_timestamp() where id=? and state=?"};

inline constexpr Sql kModifyParams{"modify_params",
  "select cast(t.modify_params as char) from tidb_global_task t where t.id=? and t.state='modifying'"};
/// Binds: slots, max nodes, priority, meta (NULL each: stays), state before, id.
inline constexpr Sql kTaskModified{"task_modified",
  "update tidb_global_task set concurrency=coalesce(?,concurrency), max_node_count=coalesce(?,max_node_count), priority=coalesce(?,priority),"
  " meta=coalesce(?,meta), modify_params=null, state=?, state_update_time=current_timestamp() where id=? and state='modifying'"};

/// What nodes say that they have applied. The fence holds the row.
inline constexpr Sql kCountModification{"count_modification", "update disttask_owner set modifications=modifications+1 where id=1"};

// --- subtasks: looking ---

/// A step's rows by ordinal. Binds: task_key, step, ordinal, limit.
inline constexpr Sql kStepRows{"step_rows",
  "select s.ordinal, s.id from tidb_background_subtask s force index (uk_task_key_step_ordinal)"
  " where s.task_key=? and s.step=? and s.ordinal>? order by s.ordinal limit ?"};

/// Binds: task_key, step.
inline constexpr Sql kCountStates{"count_states",
  "select s.state, count(*) from tidb_background_subtask s force index (ix_task) where s.task_key=? and s.step=? group by s.state"};
inline constexpr int kNumStepProbes = 5;
/// Binds: see DISTTASK_STEP_PROBES.
inline constexpr Sql kProbeStep{"probe_step", "select " DISTTASK_STEP_PROBES};
/// The same of many steps, and whether any subtask of the task was handed back. A short list repeats its last one.
inline constexpr std::size_t kStepsPerProbe = 16;
/// Binds, kStepsPerProbe times: task_id, (task_key, step) for each probe, task_id.
inline std::string probeStepsText() {
  std::string text;
  for (std::size_t i = 0; i < kStepsPerProbe; ++i) {
    text += i == 0 ? "select " : " union all select ";
    text += "?, " DISTTASK_STEP_PROBES
            ", (select 1 from disttask_attempt a force index (ix_task) where a.task_id=? and a.handed_back is not null limit 1)";
  }
  return text;
}
/// Rows of all steps: runs over the task's part of the index, so only at its end. Binds: task_key.
inline constexpr Sql kCountActive{"count_active",
  "select count(*) from tidb_background_subtask s force index (ix_task) where s.task_key=? and s.state in ('pending','running')"};
/// The first failure of a step; failed ones go before canceled ones, which have no error of their own. Binds: task_key, step, state.
inline constexpr Sql kFirstError{"first_error",
  "select s.error from tidb_background_subtask s force index (ix_task) where s.task_key=? and s.step=? and s.state=?"
  " order by s.end_time is null, s.end_time, s.id limit 1"};
/// Binds: task_key, limit.
inline constexpr Sql kPendingOfTask{"pending_of_task",
  "select " DISTTASK_SCHEDULED_COLUMNS " from tidb_background_subtask s force index (ix_task)"
  " where s.task_key=? and s.state='pending' order by s.id limit ?"};
/// Last ones first. Binds: exec_id, task_key, limit.
inline constexpr Sql kPendingOfNode{"pending_of_node",
  "select " DISTTASK_SCHEDULED_COLUMNS " from tidb_background_subtask s force index (ix_exec)"
  " where s.exec_id=? and s.state='pending' and s.task_key=? order by s.step desc, s.ordinal desc limit ?"};
/// Each node with its pending and running rows of a task. Without statistics TiDB would read the whole index, but for the hint; others take that for a comment.
/// Binds: task_key, task_key.
inline constexpr Sql kCountByNode{"count_by_node",
  "select n.exec_id,"
  " (select /*+ no_decorrelate() */ count(*) from tidb_background_subtask p force index (ix_exec) where p.exec_id=n.exec_id and p.state='pending' and p.task_key=?),"
  " (select /*+ no_decorrelate() */ count(*) from tidb_background_subtask r force index (ix_exec) where r.exec_id=n.exec_id and r.state='running' and r.task_key=?)"
  " from disttask_node n"};
/// The same of one that is not among the nodes. Binds: exec_id, task_key, exec_id, task_key.
inline constexpr Sql kCountOfStray{"count_of_stray",
  "select (select count(*) from tidb_background_subtask p force index (ix_exec) where p.exec_id=? and p.state='pending' and p.task_key=?),"
  " (select count(*) from tidb_background_subtask r force index (ix_exec) where r.exec_id=? and r.state='running' and r.task_key=?)"};
/// A sub-query instead of exists: the optimizer would turn that into a scan of the whole index.
inline constexpr Sql kDeadHolders{"dead_holders",
  "select n.exec_id from disttask_node n where n.life=0 and (select 1 from tidb_background_subtask s force index (ix_exec)"
  "  where s.exec_id=n.exec_id and s.state='running' limit 1) is not null order by n.exec_id"};
/// The next exec id that has rows. A select of the distinct ones would read the whole index: TiDB always, others where they know little of new rows.
/// Binds: exec_id before it.
inline constexpr Sql kNextHolder{"next_holder",
  "select s.exec_id from tidb_background_subtask s force index (ix_exec) where s.exec_id>? order by s.exec_id limit 1"};
inline constexpr Sql kNodeIds{"node_ids", "select n.exec_id from disttask_node n"};
/// Rows that their present node has handed back. Binds: task_id, limit.
inline constexpr Sql kHandedBack{"handed_back",
  "select " DISTTASK_SCHEDULED_COLUMNS ", a.handed_back, a.last_error from disttask_attempt a force index (ix_task)"
  " join tidb_background_subtask s on s.id=a.subtask_id"
  " where a.task_id=? and a.handed_back is not null and s.state='pending' and json_contains(a.handed_back,json_quote(s.exec_id))=1 limit ?"};

// --- subtasks: writing ---

/// Binds: exec_id.
inline constexpr Sql kNodeLifeLock{"node_life_lock", "select life from disttask_node where exec_id=? for update"};
/// Binds: exec_id.
inline constexpr Sql kNodeLife{"node_life", "select life from disttask_node where exec_id=?"};
/// Binds: exec_id, limit.
inline constexpr Sql kRunningOfNode{"running_of_node",
  "select s.id, s.task_key, s.ddl_physical_tid from tidb_background_subtask s force index (ix_exec)"
  " where s.exec_id=? and s.state='running' limit ?"};
/// Unstarted rows of a step. Binds: task_key, step, state, limit.
inline constexpr Sql kIdsInState{"ids_in_state",
  "select s.id from tidb_background_subtask s force index (ix_task) where s.task_key=? and s.step=? and s.state=? limit ?"};
/// The same for all steps. Binds: task_key, state, limit.
inline constexpr Sql kIdsInStateAllSteps{"ids_in_state_all_steps",
  "select s.id from tidb_background_subtask s force index (ix_task) where s.task_key=? and s.state=? limit ?"};
/// Binds: error, id.
inline constexpr Sql kFailPending{"fail_pending",
  "update tidb_background_subtask force index (primary) set state='failed', error=?, state_update_time=unix_timestamp(),"
  " end_time=current_timestamp() where id=? and state='pending'"};

// --- multi-row forms ---

/// Rows that one statement names by id; longer lists go in several statements, shorter ones repeat their last id, so that few texts are prepared.
inline constexpr std::size_t kIdsPerStatement = 64;

/// Pending and paused rows of a task to `canceled`. Binds: task_key, kIdsPerStatement ids.
inline std::string cancelUnstartedText() {
  return "update tidb_background_subtask force index (primary) set state='canceled', start_time=coalesce(start_time,unix_timestamp()),"
         " state_update_time=unix_timestamp(), end_time=current_timestamp()"
         " where task_key=? and state in ('pending','paused') and id in (" + placeholders(kIdsPerStatement) + ")";
}
/// Pending rows of a task to `paused`. Binds: task_key, kIdsPerStatement ids.
inline std::string pauseUnstartedText() {
  return "update tidb_background_subtask force index (primary) set state='paused', state_update_time=unix_timestamp()"
         " where task_key=? and state='pending' and id in (" + placeholders(kIdsPerStatement) + ")";
}
/// New slots for unfinished rows of a task. Binds: slots, task_key, kIdsPerStatement ids.
inline std::string modifySlotsText() {
  return "update tidb_background_subtask force index (primary) set concurrency=?, state_update_time=unix_timestamp()"
         " where task_key=? and state in ('pending','running','paused') and id in (" + placeholders(kIdsPerStatement) + ")";
}
/// Paused rows of a task to `pending`. Binds: task_key, kIdsPerStatement ids.
inline std::string resumePausedText() {
  return "update tidb_background_subtask force index (primary) set state='pending', error=null, state_update_time=unix_timestamp()"
         " where task_key=? and state='paused' and id in (" + placeholders(kIdsPerStatement) + ")";
}
/// Pending rows to other nodes. Binds, each kIdsPerStatement times: id and new exec_id; ids; id and exec_id as seen.
inline std::string movePendingText() {
  std::string cases = "case id";
  for (std::size_t i = 0; i < kIdsPerStatement; ++i) cases += " when ? then ?";
  cases += " end";
  return "update tidb_background_subtask force index (primary) set exec_id=" + cases + " where id in (" + placeholders(kIdsPerStatement) +
         ") and state='pending' and exec_id=" + cases;
}

}  // namespace disttask::storage::mysql::sql
// clang-format on

namespace disttask::storage::mysql {

/// Returns what the owner's loop sends each round and per step.
std::vector<HotStatement> hotSchedulerStatements(const HotSample& sample);

}  // namespace disttask::storage::mysql
