#include "chunk_runner.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/failpoint.hpp"

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

}  // namespace

std::optional<SegmentProgress> runChunk(
    sqlclient::Connection& connection,
    const ChunkJob& job,
    const SegmentProgress& from,
    std::int64_t rows,
    const std::function<void()>& check
) {
  KeyRange range{from.position.empty() ? job.segment.after : from.position, job.segment.upto};
  SegmentProgress to = from;
  std::int64_t walked = rows;
  if (auto end = nthKey(connection, job.key, range, rows); end && *end != range.upto) {
    range.upto = *std::move(end);
  } else {
    walked = countRows(connection, job.key, range);
    to.done = true;
  }
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
