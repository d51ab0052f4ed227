#pragma once
#include "statements/task.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

// Many starts and finishes in one guarded UPDATE (design rule 15).

namespace disttask::storage::mysql::sql {

/// Returns "case id when ? then VALUE … else OTHERWISE end" with `count` branches.
inline std::string caseOfId(std::size_t count, const std::string& value, const std::string& otherwise) {
  std::string text = "case id";
  for (std::size_t i = 0; i < count; ++i) text += " when ? then " + value;
  return text + " else " + otherwise + " end";
}

/// How the starts of a merged UPDATE are told to the store.
enum class Starts : std::uint8_t {
  kAlike,  ///< of one step of one task, token - 2 × id and id - ordinal the same for all: nearly always
  kEach,   ///< each with all that it is
};

/// The merged UPDATE with room for `room` finishes and `room` starts. Unused places are filled with ids and tokens that
/// no row has (below 0). Binds: for each finish: id, meta; with summaries again for each finish: id, summary; the
/// tokens that starts write; all ids (2 × room), ascending; exec_id; for each finish: token; the guards of starts.
/// Alike, the tokens are one bind, token - 2 × id; and the guards task_key, step, id - ordinal, ids of starts.
/// Otherwise there are for each start: id, token; and id, task_key, step, ordinal.
///
/// Each row has a guard of its own: a finish its token, which names its run and no other, a start what its id was read
/// with; the opaque `case` keeps the optimizer at the list of ids. `state` comes last: the assignments before it look
/// at the state that the row leaves, and no column is read after it was written, so it does not matter whether a server
/// evaluates with old values or from left to right.
inline std::string mergedRunsText(
    std::size_t room, bool with_summaries, Starts starts, const std::string& json = "convert(? using utf8mb4)"
) {
  const bool alike = starts == Starts::kAlike;
  // Starts need no look through the list.
  std::string text = "update tidb_background_subtask force index (primary) set meta=case state when 'running' then " +
                     caseOfId(room, "?", "meta") + " else meta end";
  if (with_summaries) text += ", summary=" + caseOfId(room, json, "summary");
  text += ", ddl_physical_tid=" + (alike ? "case state when 'pending' then ?+2*id else ddl_physical_tid end"
                                         : caseOfId(room, "?", "ddl_physical_tid"));
  text +=
      ", start_time=case state when 'pending' then unix_timestamp() else start_time end"
      ", end_time=case state when 'running' then current_timestamp() else end_time end"
      ", state_update_time=unix_timestamp()"
      ", state=case state when 'pending' then 'running' else 'succeed' end"
      " where id in (" +
      placeholders(2 * room) + ") and exec_id=? and case state when 'running' then ddl_physical_tid in (" +
      placeholders(room) + ") when 'pending' then ";
  text += alike ? "task_key=? and step=? and id-ordinal=? and id in (" + placeholders(room) + ")"
                : caseOfId(room, "(task_key=? and step=? and ordinal=?)", "0");
  return text + " else 0 end";
}

/// Rows of these ids: task_key, step, ordinal, exec_id, state, token, id. Binds: ids.
inline std::string runRowsText(std::size_t count) {
  return "select s.task_key, s.step, s.ordinal, s.exec_id, s.state, s.ddl_physical_tid, s.id"
         " from tidb_background_subtask s force index (primary) where s.id in (" +
         placeholders(count) + ")";
}

}  // namespace disttask::storage::mysql::sql
