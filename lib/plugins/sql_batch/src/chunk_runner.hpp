#pragma once
#include "archive.hpp"
#include "batch_ledger.hpp"
#include "batch_statement.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "segment_meta.hpp"

#include <cstdint>
#include <functional>
#include <optional>

namespace disttask::sql_batch {

/// What a chunk belongs to. References must outlive the call.
struct ChunkJob {
  const TableKey& key;
  const BatchStatement& statement;
  const BatchLedger& ledger;
  std::int64_t task = 0;
  std::int32_t ordinal = 0;
  const SegmentMeta& segment;  ///< of the subtask
  Archive* archive = nullptr;  ///< null: none
};

/// Applies the statement to the next rows of the segment, at most so many, in one transaction with the ledger's row.
/// Returns how far the segment has come then; nothing: somebody else has moved it since `from` was read, read it again.
/// The rows are applied exactly when this returns a value; after an exception none is, except kStoreUnavailable from
/// the commit: then the ledger row, on another connection, decides. `check` is called before the commit and may throw.
[[nodiscard]] std::optional<SegmentProgress> runChunk(
    sqlclient::Connection& connection,
    const ChunkJob& job,
    const SegmentProgress& from,
    std::int64_t rows,
    const std::function<void()>& check
);

}  // namespace disttask::sql_batch
