#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/run_batch.hpp"

// The last lines that runs logged: a side table, one row a subtask.

// clang-format off
namespace disttask::storage::mysql::sql {

/// Lines of `room` runs, each for as long as the row of its subtask shows its token. Binds: exec_id; for each: id, lines left out; for each: id,
/// lines; ids; tokens. Unused places repeat the last one.
inline std::string writeRunLogsText(std::size_t room) {
  return "insert into disttask_run_log (subtask_id, task_id, token, exec_id, written_ms, num_earlier, log_lines)"
         " select s.id, cast(s.task_key as signed), s.ddl_physical_tid, ?, " DISTTASK_NOW_MS ", " + caseOfId(room, "?", "0") + ", " +
         caseOfId(room, "?", "''") +
         " from tidb_background_subtask s force index (primary) where s.id in (" + placeholders(room) + ") and s.ddl_physical_tid in (" +
         placeholders(room) + ")"
         " on duplicate key update token=values(token), exec_id=values(exec_id), written_ms=values(written_ms),"
         " num_earlier=values(num_earlier), log_lines=values(log_lines)";
}
/// Binds: subtask_id.
inline constexpr Sql kRunLog{"run_log",
  "select l.token, l.exec_id, l.written_ms, l.num_earlier, l.log_lines from disttask_run_log l where l.subtask_id=?"};
/// Those written longest ago. Binds: seconds, limit.
inline constexpr Sql kOldRunLogs{"old_run_logs",
  "select l.subtask_id from disttask_run_log l force index (ix_written)"
  " where l.written_ms<" DISTTASK_NOW_MS "-1000*? order by l.written_ms limit ?"};
/// Unless they were written anew meanwhile. Binds: seconds, ids.
inline std::string forgetRunLogsText(std::size_t count) {
  return "delete from disttask_run_log where written_ms<" DISTTASK_NOW_MS "-1000*? and subtask_id in (" + placeholders(count) + ")";
}

}  // namespace disttask::storage::mysql::sql
// clang-format on
