#pragma once
#include "batch_ledger.hpp"
#include "batch_options.hpp"
#include "batch_session.hpp"
#include "plugin_config.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace disttask::sql_batch {

/// Where the rows of a DELETE go before they are deleted. One subtask, one thread.
class Archive {
 public:
  virtual ~Archive() = default;
  /// Before a chunk: returns the file that the ledger has to name before anything is written to it; "": none. Throws
  /// kInvalidArgument when it is there and may be somebody else's, kStoreConflict while another run has it.
  virtual std::string newFile(const SegmentProgress&) { return {}; }
  /// Within the chunk's transaction: locks the rows of the range that the statement would delete and puts them where
  /// they are safe whatever becomes of this transaction; repeated, it does not double them. Notes in `progress` what
  /// the ledger has to remember. Returns how many there are: the delete must find as many, else another one came in
  /// between.
  virtual std::int64_t copy(
      sqlclient::Connection& connection, const std::string& condition, SegmentProgress& progress
  ) = 0;
};

/// Makes the archive of a subtask; null: the task has none. `progress` is what the ledger knows. Throws
/// kInvalidArgument when the archive cannot take the rows.
[[nodiscard]] std::unique_ptr<Archive> makeArchive(
    const sdk::Host& host,
    plugin_common::Sessions& sessions,
    const PluginConfig& config,
    const TaskNote& note,
    std::int64_t task,
    std::int32_t ordinal,
    BatchSession& session
);

/// Checks at planning that the archive can take the rows: it exists, has all columns, and a key that keeps a row from
/// being in it twice. Throws kInvalidArgument.
void checkArchive(
    const sdk::Host& host,
    plugin_common::Sessions& sessions,
    const PluginConfig& config,
    const TaskNote& note,
    BatchSession& session
);

}  // namespace disttask::sql_batch
