#pragma once
#include "disttask/sqlclient/connection.hpp"

// The statement of a node's poll (design rule 17).

// clang-format off
namespace disttask::storage::mysql::sql {

/// Rows by primary key, and of each kind of work the end of a range of an index. As `max` and `min` over such a range they are answered before a
/// server plans anything; a look with `limit 1` costs it three times as much. What lies between the two states is work: no other state of a subtask
/// does. Binds: exec_id, four times.
inline constexpr sqlclient::Sql kPoll{"poll",
  "select n.life, n.wanted, m.cpu_count, o.exec_id, o.life, l.renewals, o.term, n.wanted_until<=now(), o.modifications,"
  " (select max(s.state) from tidb_background_subtask s force index (ix_exec) where s.exec_id=? and s.state between 'pending' and 'running'),"
  " (select min(q.failed) from disttask_plan q force index (ix_planner) where q.planner=? and q.complete=0 and q.failed=0)"
  " from disttask_owner o join disttask_owner_lease l on l.id=o.id"
  " left join disttask_node n on n.exec_id=? left join dist_framework_meta m on m.host=?"
  " where o.id=1"};

}  // namespace disttask::storage::mysql::sql
// clang-format on
