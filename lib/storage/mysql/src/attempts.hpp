#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace disttask::storage::mysql {

/// The side row of a subtask's attempts (design rule 9); all zero when there is none.
struct Attempt {
  std::int32_t abnormal_ends = 0;
  std::int32_t ends_alone = 0;
  proto::RunToken last_token;  ///< the run whose abnormal end was counted last
  std::int32_t retries = 0;
  std::vector<proto::ExecId> handed_back;  ///< nodes that cannot run it

  /// From the second abnormal end on a subtask runs alone on its node.
  [[nodiscard]] bool runsAlone() const noexcept { return abnormal_ends >= 2; }
};

/// Reads the side row without a lock.
[[nodiscard]] Attempt readAttempt(sqlclient::Connection& connection, proto::SubtaskId id);
/// Makes the side row if needed and locks it; only in a transaction that holds the subtask's row already (lock order of
/// design rule 19).
[[nodiscard]] Attempt lockAttempt(sqlclient::Connection& connection, proto::SubtaskId id, proto::TaskId task_id);

/// Counts one abnormal end of the run with this token, once, and returns the row as it is then. In the transaction that
/// takes the subtask's row out of `running`.
Attempt countAbnormalEnd(
    sqlclient::Connection& connection, proto::SubtaskId id, proto::TaskId task_id, proto::RunToken token
);
/// Returns the text with which a subtask fails when it ended its node too often.
[[nodiscard]] std::string endedItsNode(const Attempt& attempt);

/// Returns a JSON array of exec ids, and reads one; anything else reads as empty.
[[nodiscard]] std::string toJsonArray(const std::vector<proto::ExecId>& exec_ids);
[[nodiscard]] std::vector<proto::ExecId> parseExecIds(const std::string& json);

}  // namespace disttask::storage::mysql
