#include "chunk_runner.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/failpoint.hpp"

#include <algorithm>

namespace disttask::sql_batch {
namespace {

/// Applies the statement to a range; returns how many rows it changed.
std::int64_t apply(
    sqlclient::Connection& connection, const ChunkJob& job, const KeyRange& range, SegmentProgress& progress
) {
  const std::string condition = rangeCondition(job.key, range, job.statement.alias);
  std::int64_t copied = 0;
  if (job.archive != nullptr) {
    copied = job.archive->copy(connection, condition, progress);
    if (copied == 0) return 0;
  }
  const std::int64_t changed = connection.execute(job.statement.render(condition));
  // The copied rows are locked, so none of them has left; one more has come, and is not in the archive.
  if (job.archive != nullptr && changed != copied) {
    throw Exception(
        ErrorCode::kStoreConflict,
        "archive: " + std::to_string(copied) + " rows were copied and " + std::to_string(changed) +
            " would be deleted; others change the same rows"
    );
  }
  return changed;
}

/// Cuts `rest` of a segment to the range of the next chunk, at most `rows` rows, and returns how many it has. `planned`
/// is how many rows the rest had when it was planned: where that is still so, no row is read only to be counted.
std::int64_t cut(
    sqlclient::Connection& connection, const TableKey& key, KeyRange& rest, std::int64_t rows, std::int64_t planned
) {
  const std::int64_t wanted = planned > 0 ? std::min(rows, planned) : rows;
  auto end = nthKey(connection, key, rest, wanted);
  if (!end) return countRows(connection, key, rest);
  rest.upto = *std::move(end);
  return wanted;
}

}  // namespace

std::optional<SegmentProgress> runChunk(
    sqlclient::Connection& connection,
    const ChunkJob& job,
    const SegmentProgress& from,
    std::int64_t rows,
    const std::function<void()>& check
) {
  const KeyRange& segment = job.segment.range;
  KeyRange range{from.position.empty() ? segment.after : from.position, segment.upto};
  const std::int64_t walked = cut(connection, job.key, range, rows, job.segment.rows - from.walked);
  SegmentProgress to = from;
  to.done = range.upto == segment.upto;
  sqlclient::Transaction transaction(connection);
  // The row of the ledger comes first: whoever has it may change the rows behind its position.
  if (!job.ledger.take(connection, job.task, job.ordinal, from.chunks)) return std::nullopt;
  DISTTASK_FAILPOINT("sql_batch.chunk_taken");
  to.chunks = from.chunks + 1;
  to.walked = from.walked + walked;
  to.position = range.upto;
  to.changed = from.changed + apply(connection, job, range, to);
  job.ledger.finish(connection, job.task, job.ordinal, to);
  check();
  DISTTASK_FAILPOINT("sql_batch.before_commit");
  transaction.commit();
  DISTTASK_FAILPOINT("sql_batch.after_commit");
  return to;
}

}  // namespace disttask::sql_batch
