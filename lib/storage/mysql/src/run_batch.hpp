#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "disttask/storage/run_write.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace disttask::storage::mysql {

inline constexpr const char* kRunBatchName = "write of runs";

/// One write of a batch that has no result yet; what it points to outlives it.
struct RunBatchRow {
  std::size_t index = 0;  ///< in the caller's list
  proto::SubtaskId id;
  proto::RunToken token;  ///< of a start: the one that it writes; of a finish: the guard
  const RunStart* start = nullptr;
  const RunFinish* finish = nullptr;
  std::optional<std::string> summary;  ///< of a finish, as these tables keep it
  std::size_t bytes = 0;
};

/// Returns the token of a start, of which no other start has the same. Those of one write share their random bits, 62
/// of them, which tell it from any other start of the row, so that the store can make it from the id (design rule 7).
proto::RunToken batchTokenOf(std::int64_t shared_random, const RunStart& start);

/// Sends these rows, ascending by id and at most kMaxRunWrites, as one guarded UPDATE; returns how many matched. Throws
/// what the connection throws: then nothing is known, or, after an error of the server, nothing was written.
std::int64_t sendRunBatch(
    sqlclient::Connection& connection, const proto::ExecId& exec_id, const std::vector<RunBatchRow>& rows
);

}  // namespace disttask::storage::mysql
