#pragma once
#include "disttask/proto/task.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <vector>

namespace disttask::storage::mysql {

/// Returns the tasks in a state in which nodes act that have a pending or running row of `exec_id`, by rank, with
/// TiDB's indexes alone. `only_one`: stops at the first.
[[nodiscard]] std::vector<proto::TaskExecInfo> findDxfWork(
    sqlclient::Connection& connection, const proto::ExecId& exec_id, bool only_one
);

}  // namespace disttask::storage::mysql
