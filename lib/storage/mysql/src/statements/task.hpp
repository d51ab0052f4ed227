#pragma once
#include "disttask/proto/task_event.hpp"
#include "disttask/sqlclient/connection.hpp"

#include "statements/hot_statement.hpp"

#include <vector>

// What the executor's table of tasks sends (contract 2.1). JSON columns are read as cast(… as char) and written as
// convert(? using utf8mb4), which all servers take; task_key is always bound as decimal text; each pick names one
// state, so that it walks ix_exec in order.

// clang-format off

/// Columns that task_rows.hpp reads, in its order.
#define DISTTASK_TASK_BASE_COLUMNS \
  "t.id, t.task_key, t.type, t.state, t.step, t.priority, t.concurrency, t.target_scope, t.max_node_count, cast(t.extra_params as char), " \
  "unix_timestamp(t.create_time)"
#define DISTTASK_TASK_COLUMNS \
  DISTTASK_TASK_BASE_COLUMNS ", t.meta, t.error, unix_timestamp(t.start_time), unix_timestamp(t.state_update_time), unix_timestamp(t.end_time)"
#define DISTTASK_SUBTASK_COLUMNS \
  "s.id, s.step, s.task_key, s.ddl_physical_tid, s.type, s.exec_id, s.state, s.concurrency, unix_timestamp(s.create_time), s.start_time, " \
  "s.state_update_time, unix_timestamp(s.end_time), s.ordinal, s.meta, s.error, cast(s.summary as char)"
/// The same with metas up to a length only, and the length of each. Binds: bytes.
#define DISTTASK_SUBTASK_COLUMNS_SHORT_META \
  "s.id, s.step, s.task_key, s.ddl_physical_tid, s.type, s.exec_id, s.state, s.concurrency, unix_timestamp(s.create_time), s.start_time, " \
  "s.state_update_time, unix_timestamp(s.end_time), s.ordinal, if(length(s.meta)<=?,s.meta,null), s.error, cast(s.summary as char), length(s.meta)"
#define DISTTASK_ENDED_STATES "('succeed','failed','reverted')"
/// Milliseconds since the epoch by the store.
#define DISTTASK_NOW_MS "floor(unix_timestamp(now(3))*1000)"
/// Lets a row through whose back-off is over, and that this node has not handed back; a time further ahead than the longest back-off (one hour) is a
/// mistake and counts as now. Binds: exec_id.
#define DISTTASK_NOT_HELD_BACK \
  "(a.subtask_id is null or ((a.not_before<=" DISTTASK_NOW_MS " or a.not_before>" DISTTASK_NOW_MS "+3600000)" \
  " and (a.handed_back is null or json_contains(a.handed_back,json_quote(?))=0)))"

namespace disttask::storage::mysql::sql {

using sqlclient::Sql;

// --- tasks ---

/// Tasks with work here: the sub-queries look at one index entry each. Binds: exec_id, exec_id.
inline constexpr Sql kTasksWithWork{"tasks_with_work",
  "select " DISTTASK_TASK_BASE_COLUMNS ","
  " (select 1 from tidb_background_subtask p force index (ix_exec)"
  "  where p.exec_id=? and p.state='pending' and p.task_key=cast(t.id as char) limit 1) as has_pending,"
  " (select 1 from tidb_background_subtask r force index (ix_exec)"
  "  where r.exec_id=? and r.state='running' and r.task_key=cast(t.id as char) limit 1) as has_running"
  " from tidb_global_task t where t.state in ('running','reverting','pausing')"
  " having has_pending is not null or has_running is not null"
  " order by t.priority, t.create_time, t.id"};
/// The largest slots of the rows that come next, up to 64 of each state, of so many tasks. Binds, for each: task_id, exec_id, task_key, exec_id, task_key.
inline std::string largestSlotsText(std::size_t tasks) {
  std::string text;
  for (std::size_t i = 0; i < tasks; ++i) {
    text += i == 0 ? "select " : " union all select ";
    text += "?, (select max(c) from ("
            "(select concurrency as c from tidb_background_subtask force index (ix_exec) where exec_id=? and state='pending' and task_key=?"
            " order by step, ordinal limit 64)"
            " union all "
            "(select concurrency from tidb_background_subtask force index (ix_exec) where exec_id=? and state='running' and task_key=?"
            " order by step, ordinal limit 64)) x)";
  }
  return text;
}
inline constexpr Sql kTaskById{"task_by_id", "select " DISTTASK_TASK_COLUMNS " from tidb_global_task t where t.id=?"};
inline constexpr Sql kTaskBaseById{"task_base_by_id", "select " DISTTASK_TASK_BASE_COLUMNS " from tidb_global_task t where t.id=?"};
/// One state per statement. Binds: state.
inline constexpr Sql kTasksInState{"tasks_in_state", "select " DISTTASK_TASK_COLUMNS " from tidb_global_task t where t.state=?"};

// --- picks ---

/// Binds: bytes of meta, exec_id, task_key, step, ordinal before the first, exec_id, limit.
inline constexpr Sql kPickPending{"pick_pending",
  "select " DISTTASK_SUBTASK_COLUMNS_SHORT_META " from tidb_background_subtask s force index (ix_exec)"
  " left join disttask_attempt a on a.subtask_id=s.id"
  " where s.exec_id=? and s.state='pending' and s.task_key=? and s.step=? and s.ordinal>? and " DISTTASK_NOT_HELD_BACK
  " order by s.ordinal limit ?"};
/// Any state but pending. Binds: exec_id, state, task_key, step, limit.
inline constexpr Sql kPickInState{"pick_in_state",
  "select " DISTTASK_SUBTASK_COLUMNS " from tidb_background_subtask s force index (ix_exec)"
  " where s.exec_id=? and s.state=? and s.task_key=? and s.step=? order by s.ordinal limit ?"};
/// Binds: exec_id, state, task_key, step.
inline constexpr Sql kHasInState{"has_in_state",
  "select 1 from tidb_background_subtask s force index (ix_exec)"
  " where s.exec_id=? and s.state=? and s.task_key=? and s.step=? limit 1"};
/// Running rows of a node and task with their tokens. Binds: exec_id, task_key.
inline constexpr Sql kRunningRows{"running_rows",
  "select s.id, s.ddl_physical_tid from tidb_background_subtask s force index (ix_exec)"
  " where s.exec_id=? and s.state='running' and s.task_key=? order by s.step, s.ordinal limit 1000"};
/// Pending rows of a node and task, any step. Binds: exec_id, task_key, limit.
inline constexpr Sql kPendingIds{"pending_ids",
  "select s.id, s.ddl_physical_tid from tidb_background_subtask s force index (ix_exec)"
  " where s.exec_id=? and s.state='pending' and s.task_key=? order by s.step, s.ordinal limit ?"};

// --- a row again, by id (design rule 10) ---

inline constexpr Sql kRowById{"subtask_row",
  "select s.task_key, s.step, s.ordinal, s.exec_id, s.state, s.ddl_physical_tid from tidb_background_subtask s where s.id=?"};
inline constexpr Sql kRowByIdForUpdate{"subtask_row_lock",
  "select s.task_key, s.step, s.ordinal, s.exec_id, s.state, s.ddl_physical_tid from tidb_background_subtask s where s.id=? for update"};
inline constexpr Sql kHistoryRowById{"subtask_row_history",
  "select s.task_key, s.step, s.ordinal, s.exec_id, s.state, s.ddl_physical_tid from tidb_background_subtask_history s where s.id=?"};
inline constexpr Sql kSubtaskMeta{"subtask_meta", "select s.meta from tidb_background_subtask s where s.id=?"};
inline constexpr Sql kCheckpointById{"checkpoint", "select checkpoint from tidb_background_subtask where id=?"};

// --- guarded writes: each names the row, who has it, the state it leaves and the run token it shows ---

/// Binds: token, id, exec_id, task_key, step, ordinal.
inline constexpr Sql kStart{"start_subtask",
  "update tidb_background_subtask force index (primary) set state='running', ddl_physical_tid=?, start_time=unix_timestamp(),"
  " state_update_time=unix_timestamp()"
  " where id=? and exec_id=? and state='pending' and task_key=? and step=? and ordinal=?"};
/// Binds: meta, id, exec_id, token.
inline constexpr Sql kFinish{"finish_subtask",
  "update tidb_background_subtask force index (primary) set meta=?, state='succeed', state_update_time=unix_timestamp(),"
  " end_time=current_timestamp()"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid=?"};
/// Binds: meta, summary, id, exec_id, token.
inline constexpr Sql kFinishWithSummary{"finish_subtask_summary",
  "update tidb_background_subtask force index (primary) set meta=?, summary=convert(? using utf8mb4), state='succeed',"
  " state_update_time=unix_timestamp(), end_time=current_timestamp()"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid=?"};
/// To failed or canceled. Binds: state, error, id, exec_id, token.
inline constexpr Sql kEnd{"end_subtask",
  "update tidb_background_subtask force index (primary) set state=?, error=?, state_update_time=unix_timestamp(),"
  " end_time=current_timestamp()"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid=?"};
/// To a state that is not the end: paused. Binds: state, error, id, exec_id, token.
inline constexpr Sql kLeaveRunning{"leave_running",
  "update tidb_background_subtask force index (primary) set state=?, error=?, state_update_time=unix_timestamp()"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid=?"};
/// To pending; the error column stays. Binds: id, exec_id, token.
inline constexpr Sql kGiveBack{"give_back_subtask",
  "update tidb_background_subtask force index (primary) set state='pending', state_update_time=unix_timestamp()"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid=?"};
/// For rows without a live run: takes the state and the token as seen, which may be NULL, and leaves a mark of its own as token.
/// Binds: new state, error, mark, id, exec_id, state seen, token seen.
inline constexpr Sql kEndUnrun{"end_unrun_subtask",
  "update tidb_background_subtask force index (primary) set state=?, error=?, ddl_physical_tid=?,"
  " start_time=coalesce(start_time,unix_timestamp()), state_update_time=unix_timestamp(), end_time=current_timestamp()"
  " where id=? and exec_id=? and state=? and ddl_physical_tid<=>?"};
/// The same to paused: start and end stay. Binds: mark, id, exec_id, state seen, token seen.
inline constexpr Sql kPauseUnrun{"pause_unrun_subtask",
  "update tidb_background_subtask force index (primary) set state='paused', ddl_physical_tid=?, state_update_time=unix_timestamp()"
  " where id=? and exec_id=? and state=? and ddl_physical_tid<=>?"};
/// A running row without a live run back to pending, in a transaction that holds it. Binds: id, exec_id, token seen.
inline constexpr Sql kReleaseOrphan{"release_orphan",
  "update tidb_background_subtask force index (primary) set state='pending', state_update_time=unix_timestamp()"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid<=>?"};
/// The same to failed. Binds: error, id, exec_id, token seen.
inline constexpr Sql kFailOrphan{"fail_orphan",
  "update tidb_background_subtask force index (primary) set state='failed', error=?, state_update_time=unix_timestamp(),"
  " end_time=current_timestamp()"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid<=>?"};
/// Binds: summary, id, exec_id, token.
inline constexpr Sql kSummary{"update_summary",
  "update tidb_background_subtask force index (primary) set summary=convert(? using utf8mb4)"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid=?"};
/// The token becomes a new one, or stays when both are the same. Binds: checkpoint, new token, id, exec_id, token.
inline constexpr Sql kCheckpoint{"update_checkpoint",
  "update tidb_background_subtask force index (primary) set checkpoint=?, ddl_physical_tid=?"
  " where id=? and exec_id=? and state='running' and ddl_physical_tid=?"};

// --- side rows of attempts ---

inline constexpr Sql kAttemptForUpdate{"attempt_lock",
  "select abnormal_ends, ends_alone, last_token, retries, handed_back from disttask_attempt where subtask_id=? for update"};
inline constexpr Sql kAttempt{"attempt",
  "select abnormal_ends, ends_alone, last_token, retries, handed_back from disttask_attempt where subtask_id=?"};
/// Makes the row if there is none, so that there is one to lock. Binds: subtask_id, task_id.
inline constexpr Sql kAttemptMake{"attempt_make",
  "insert into disttask_attempt (subtask_id, task_id) values (?,?) on duplicate key update task_id=values(task_id)"};
/// Binds: abnormal_ends, ends_alone, last_token, subtask_id.
inline constexpr Sql kAttemptAbnormalEnd{"attempt_abnormal_end",
  "update disttask_attempt set abnormal_ends=?, ends_alone=?, last_token=? where subtask_id=?"};
/// Binds: delay in ms, error, subtask_id.
inline constexpr Sql kAttemptRetry{"attempt_retry",
  "update disttask_attempt set retries=retries+1, not_before=" DISTTASK_NOW_MS "+?, last_error=? where subtask_id=?"};
/// Binds: handed_back (JSON), error, subtask_id.
inline constexpr Sql kAttemptHandBack{"attempt_hand_back",
  "update disttask_attempt set handed_back=?, last_error=? where subtask_id=?"};

// --- registration of DXF ---

/// Binds: host, role, cpu_count.
inline constexpr Sql kInitMeta{"init_meta",
  "insert into dist_framework_meta (host, role, cpu_count, keyspace_id) values (?,?,?,-1)"
  " on duplicate key update role=values(role), cpu_count=values(cpu_count)"};
inline constexpr Sql kRecoverMeta{"recover_meta",
  "insert into dist_framework_meta (host, role, cpu_count, keyspace_id) values (?,?,?,-1)"
  " on duplicate key update cpu_count=values(cpu_count)"};

// --- multi-row forms: `count` ids, ascending ---

/// Returns "'pending','running',…".
inline std::string quoted(proto::TaskStates states) {
  std::string text;
  for (int i = 0; i < proto::kNumTaskStates; ++i) {
    const auto state = static_cast<proto::TaskState>(i);
    if (states.contains(state)) text.append(text.empty() ? "'" : ",'").append(toString(state)).append("'");
  }
  return text;
}
/// Returns "?,?,…".
inline std::string placeholders(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += i == 0 ? "?" : ",?";
  return text;
}
/// Rows of these ids: id, exec_id, state, token. Binds: ids.
inline std::string rowsOfIdsText(std::size_t count) {
  return "select s.id, s.exec_id, s.state, s.ddl_physical_tid from tidb_background_subtask s force index (primary)"
         " where s.id in (" + placeholders(count) + ")";
}
/// Pending rows of a node to `canceled`. Binds: exec_id, ids.
inline std::string cancelPendingText(std::size_t count) {
  return "update tidb_background_subtask force index (primary) set state='canceled', error=null,"
         " start_time=coalesce(start_time,unix_timestamp()), state_update_time=unix_timestamp(), end_time=current_timestamp()"
         " where exec_id=? and state='pending' and id in (" + placeholders(count) + ")";
}
/// Pending rows of a node to `paused`, as DXF's executor does: the times stay. Binds: exec_id, ids.
inline std::string pausePendingText(std::size_t count) {
  return "update tidb_background_subtask force index (primary) set state='paused'"
         " where exec_id=? and state='pending' and id in (" + placeholders(count) + ")";
}

}  // namespace disttask::storage::mysql::sql
// clang-format on

namespace disttask::storage::mysql {

/// Returns what the executor's loops send per poll and per subtask.
std::vector<HotStatement> hotTaskStatements(const HotSample& sample);

}  // namespace disttask::storage::mysql
