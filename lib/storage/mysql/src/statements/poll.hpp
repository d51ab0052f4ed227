#pragma once
#include "disttask/sqlclient/connection.hpp"

// The statement of a node's poll (design rule 17).

// clang-format off
namespace disttask::storage::mysql::sql {

/// Rows by primary key, and one index entry of each kind of work: sub-queries with `limit 1`, since `exists` costs the optimizer twice as much.
/// Binds: exec_id, five times.
inline constexpr sqlclient::Sql kPoll{"poll",
  "select n.life, n.wanted, m.cpu_count, o.exec_id, o.life, l.renewals, o.term, n.wanted_until<=now(), o.modifications,"
  " (select 1 from tidb_background_subtask p force index (ix_exec) where p.exec_id=? and p.state='pending' limit 1),"
  " (select 1 from tidb_background_subtask r force index (ix_exec) where r.exec_id=? and r.state='running' limit 1),"
  " (select 1 from disttask_plan q force index (ix_planner) where q.planner=? and q.complete=0 and q.failed=0 limit 1)"
  " from disttask_owner o join disttask_owner_lease l on l.id=o.id"
  " left join disttask_node n on n.exec_id=? left join dist_framework_meta m on m.host=?"
  " where o.id=1"};

}  // namespace disttask::storage::mysql::sql
// clang-format on
