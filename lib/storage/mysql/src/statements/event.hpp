#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/task.hpp"

// What became of tasks and nodes, and by whom: a side table. A task's rows have exec_id '', a node's task_id 0; seq
// counts from 1 in each.

// clang-format off
namespace disttask::storage::mysql::sql {

/// Binds: task_id, exec_id.
inline constexpr Sql kLastEvent{"last_event", "select coalesce(max(e.seq),0) from disttask_event e where e.task_id=? and e.exec_id=?"};

#define DISTTASK_ADD_EVENT(actor) \
  "insert into disttask_event (task_id, exec_id, seq, event, subtask_id, from_state, to_state, num_rows, actor_kind, reason, actor, at_ms)" \
  " values (?,?,?,?,?,?,?,?,?,?," actor "," DISTTASK_NOW_MS ")"
/// Binds: task_id, exec_id, seq, event, subtask_id, from, to, rows, actor_kind, reason, actor.
inline constexpr Sql kAddEvent{"add_event", DISTTASK_ADD_EVENT("?")};
/// The same without the actor: who has this session.
inline constexpr Sql kAddEventOfUser{"add_event_of_user", DISTTASK_ADD_EVENT("user()")};
/// The same: who has the scheduler role, in a transaction that begins with its fence.
inline constexpr Sql kAddEventOfOwner{"add_event_of_owner", DISTTASK_ADD_EVENT("(select o.exec_id from disttask_owner o where o.id=1)")};
#undef DISTTASK_ADD_EVENT

#define DISTTASK_GROW_EVENT(actor) \
  "update disttask_event set num_rows=num_rows+?, at_ms=" DISTTASK_NOW_MS \
  " where task_id=? and exec_id='' and seq=? and event=? and subtask_id=0 and from_state=? and to_state=? and actor_kind=? and reason=?" \
  " and actor=" actor
/// Adds rows to the last event, when that is one of the same kind and by the same one. Binds: rows, task_id, seq, event, from, to, actor_kind, reason, actor.
inline constexpr Sql kGrowEvent{"grow_event", DISTTASK_GROW_EVENT("?")};
/// The same without the actor: who has this session, or the scheduler role.
inline constexpr Sql kGrowEventOfUser{"grow_event_of_user", DISTTASK_GROW_EVENT("user()")};
inline constexpr Sql kGrowEventOfOwner{"grow_event_of_owner", DISTTASK_GROW_EVENT("(select o.exec_id from disttask_owner o where o.id=1)")};
#undef DISTTASK_GROW_EVENT
/// Binds: task_id, exec_id, seq.
inline constexpr Sql kDropEvents{"drop_events", "delete from disttask_event where task_id=? and exec_id=? and seq<=?"};
/// Newest first. Binds: task_id, exec_id, limit.
inline constexpr Sql kEvents{"events",
  "select e.seq, e.at_ms, e.event, e.subtask_id, e.from_state, e.to_state, e.num_rows, e.actor_kind, e.actor, e.reason"
  " from disttask_event e where e.task_id=? and e.exec_id=? order by e.seq desc limit ?"};

/// The task goes to history. Binds: task_id.
inline constexpr Sql kArchiveEvents{"archive_events",
  "update disttask_event set archived_at=unix_timestamp() where task_id=? and exec_id='' and archived_at is null"};
/// The events longest in history. Binds: seconds, limit.
inline constexpr Sql kOldEvents{"old_events",
  "select e.task_id, e.seq from disttask_event e force index (ix_archived)"
  " where e.archived_at<unix_timestamp()-? order by e.archived_at, e.task_id, e.seq limit ?"};
/// Those of a node that is forgotten. Binds: exec_id.
inline constexpr Sql kDeleteNodeEvents{"delete_node_events", "delete from disttask_event where task_id=0 and exec_id=?"};

}  // namespace disttask::storage::mysql::sql
// clang-format on
