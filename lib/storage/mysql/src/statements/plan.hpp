#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/hot_statement.hpp"
#include "statements/task.hpp"

#include <cstddef>
#include <string>
#include <vector>

// Plans of steps (design rule 20): one side row per (task, kind, step that it follows). The planner's writes carry its
// token and the cursor as read.

// clang-format off

/// Columns in the order of plan_rows.cpp; the cursor, which may be long, comes last.
#define DISTTASK_PLAN_COLUMNS \
  "p.task_id, p.kind, p.after_step, p.step, p.planner, p.token, p.next_ordinal, p.complete, p.failed, p.retries, p.error, p.handed_back, p.cleans_up"

namespace disttask::storage::mysql::sql {

/// Plans of a node whose time has come and whose task may still be planned, with the rank of the task; a time further ahead than the longest back-off
/// counts as now. Not sorted here: by columns of the other table that would be a temporary table on disk at each poll, because of the blobs.
/// Binds: planner.
inline constexpr Sql kPlansOf{"plans_of",
  "select " DISTTASK_PLAN_COLUMNS ", p.`cursor`, t.priority, unix_timestamp(t.create_time) from disttask_plan p force index (ix_planner) join tidb_global_task t on t.id=p.task_id"
  " where p.planner=? and p.complete=0 and p.failed=0"
  " and (p.not_before<=" DISTTASK_NOW_MS " or p.not_before>" DISTTASK_NOW_MS "+3600000)"
  " and ((p.kind='step' and t.state in ('pending','running')) or (p.kind='revert' and t.state='reverting')"
  " or (p.kind='cleanup' and t.state in " DISTTASK_ENDED_STATES "))"};
/// Binds: task_id, kind, after_step.
inline constexpr Sql kPlan{"plan",
  "select " DISTTASK_PLAN_COLUMNS ", p.`cursor` from disttask_plan p where p.task_id=? and p.kind=? and p.after_step=?"};
/// Binds: task_id.
inline constexpr Sql kAllPlansOfTask{"all_plans_of_task", "select " DISTTASK_PLAN_COLUMNS " from disttask_plan p where p.task_id=?"};
/// The plans of all tasks whose next thing is the owner's. Of pending ones most have none, so these are come to from their plans.
inline std::string plansOfUnfinishedText() {
  return "(select " DISTTASK_PLAN_COLUMNS " from tidb_global_task t straight_join disttask_plan p on p.task_id=t.id"
         " where t.state<>'pending' and t.state in (" + quoted(proto::statesOf(proto::TaskActor::kOwner)) + "))"
         " union all (select " DISTTASK_PLAN_COLUMNS " from disttask_plan p straight_join tidb_global_task u on u.id=p.task_id"
         " where p.kind='step' and p.after_step=-1 and u.state='pending')";
}

// --- the owner's ---

/// Binds: task_id, kind, after_step, planner, token.
inline constexpr Sql kPlanMake{"plan_make",
  "insert into disttask_plan (task_id, kind, after_step, step, planner, token, `cursor`, next_ordinal, complete, failed, retries, error,"
  " not_before, created) values (?,?,?,null,?,?,'',1,0,0,0,null,0,current_timestamp()) on duplicate key update task_id=task_id"};
/// Who has handed the plan on stays known. Binds: planner, new token, task_id, kind, after_step, token as seen.
inline constexpr Sql kPlanAssign{"plan_assign",
  "update disttask_plan set planner=?, token=?, not_before=0"
  " where task_id=? and kind=? and after_step=? and token=? and complete=0 and failed=0"};
/// The task was modified: what was chosen for it is asked for again. The plan that follows the task's present step has written no batch, since the first
/// one enters the next step. The new token fences whoever was shown the task as it was. Binds: new token, task_id, after_step.
inline constexpr Sql kPlanChooseAgain{"plan_choose_again",
  "update disttask_plan set step=null, complete=0, token=?, retries=0, error=null, not_before=0, handed_back=null"
  " where task_id=? and kind='step' and after_step=? and failed=0"};

/// Clean-ups that are neither done nor failed, by task. Binds: task_id, limit.
inline constexpr Sql kOpenCleanUps{"open_clean_ups",
  "select " DISTTASK_TASK_BASE_COLUMNS ", " DISTTASK_PLAN_COLUMNS " from disttask_plan p force index (ix_kind)"
  " straight_join tidb_global_task t on t.id=p.task_id where p.kind='cleanup' and p.complete=0 and p.failed=0 and p.task_id>? order by p.task_id limit ?"};
/// Binds: task_id.
inline constexpr Sql kHasOpenCleanUp{"has_open_clean_up",
  "select 1 from disttask_plan p where p.task_id=? and p.kind='cleanup' and p.complete=0 and p.failed=0"};

// --- the planner's ---

/// Binds: step, complete, cleans_up, task_id, after_step, token, step.
inline constexpr Sql kPlanStep{"plan_step",
  "update disttask_plan set step=?, complete=?, cleans_up=? where task_id=? and kind='step' and after_step=? and token=?"
  " and complete=0 and failed=0 and (step is null or step=?)"};
/// What a modification changes is compared too: it may have come and gone since the batch was made. Binds: meta, slots and max nodes as read, id.
inline constexpr Sql kPlanTaskLock{"plan_task_lock",
  "select t.state, t.step, t.meta<=>? and t.concurrency<=>? and coalesce(t.max_node_count,0)=? from tidb_global_task t where t.id=? for update"};
/// What one row and one statement may measure, in bytes.
inline constexpr Sql kPacketLimit{"packet_limit", "select @@max_allowed_packet"};
/// The same of a TiDB; 0: its configuration says it, which is 6 MiB where nobody changed it.
inline constexpr Sql kEntryLimit{"entry_limit", "select @@max_allowed_packet, @@tidb_txn_entry_size_limit"};
/// Binds: next cursor, next ordinal, complete, task_id, after_step, token, step, cursor and ordinal as read.
inline constexpr Sql kPlanAdvance{"plan_advance",
  "update disttask_plan set `cursor`=?, next_ordinal=?, complete=?, retries=0, error=null, not_before=0"
  " where task_id=? and kind='step' and after_step=? and token=? and step=? and complete=0 and failed=0 and `cursor`=? and next_ordinal=?"};
/// Binds: step, id, step as read.
inline constexpr Sql kPlanEnterStep{"plan_enter_step",
  "update tidb_global_task set start_time=if(state='pending',current_timestamp(),start_time), state='running', step=?,"
  " state_update_time=current_timestamp() where id=? and state in ('pending','running') and step=?"};
/// Of a hook. Binds: task_id, kind, after_step, token.
inline constexpr Sql kPlanComplete{"plan_complete",
  "update disttask_plan set complete=1, error=null where task_id=? and kind=? and after_step=? and token=? and complete=0 and failed=0"};
/// Binds: error, failed, delay in ms, task_id, kind, after_step, token, retries as read.
inline constexpr Sql kPlanError{"plan_error",
  "update disttask_plan set error=?, failed=?, retries=retries+1, not_before=" DISTTASK_NOW_MS "+?"
  " where task_id=? and kind=? and after_step=? and token=? and retries=? and complete=0 and failed=0"};
/// Binds: error, delay in ms, task_id, kind, after_step, token.
inline constexpr Sql kPlanWait{"plan_wait",
  "update disttask_plan set error=?, not_before=" DISTTASK_NOW_MS "+?"
  " where task_id=? and kind=? and after_step=? and token=? and complete=0 and failed=0"};
/// Binds: next planner, new token, handed_back (JSON), error, task_id, kind, after_step, token.
inline constexpr Sql kPlanHandOn{"plan_hand_on",
  "update disttask_plan set planner=?, token=?, handed_back=?, error=?, not_before=0"
  " where task_id=? and kind=? and after_step=? and token=? and complete=0 and failed=0"};
/// By ordinal; a subtask that somebody let count as succeeded has none. Binds: task_key, step, ordinal, limit.
inline constexpr Sql kResultMetas{"result_metas",
  "select s.ordinal, s.meta from tidb_background_subtask s force index (uk_task_key_step_ordinal)"
  " where s.task_key=? and s.step=? and s.ordinal>? and s.state='succeed'"
  " and (s.error is null or instr(s.error,'\"skipped\":true')=0) order by s.ordinal limit ?"};

// --- subtasks of a batch: a multi-row insert ---

/// How many rows one statement has: a batch is cut into these, largest first, so that few texts are prepared.
inline constexpr std::size_t kInsertSizes[] = {256, 64, 16, 4, 1};

/// Binds, per row: step, task_key, exec_id, meta, type, concurrency, ordinal.
inline std::string insertSubtasksText(std::size_t rows) {
  std::string text =
      "insert into tidb_background_subtask (step, task_key, exec_id, meta, state, type, concurrency, ordinal, create_time, checkpoint, summary) values ";
  for (std::size_t i = 0; i < rows; ++i) {
    text += i == 0 ? "" : ",";
    text += "(?,?,?,?,'pending',?,?,?,current_timestamp(),'{}','{}')";
  }
  return text;
}

}  // namespace disttask::storage::mysql::sql
// clang-format on

namespace disttask::storage::mysql {

/// Returns what planning sends per poll and per batch.
std::vector<HotStatement> hotPlanStatements(const HotSample& sample);

}  // namespace disttask::storage::mysql
