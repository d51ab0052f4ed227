#pragma once
#include "chunk_meta.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "import_options.hpp"
#include "ledger.hpp"
#include "row_loader.hpp"
#include "source_file.hpp"
#include "target_table.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace disttask::csv_import {

/// What a chunk belongs to. References must outlive the importer.
struct ImportJob {
  const ImportOptions& options;
  const TargetTable& target;
  const Ledger& ledger;
  std::int64_t task = 0;  ///< whose id the ledger rows carry
  std::string rejects_dir;
  LoadTrust* loads = nullptr;  ///< null: rows go in by inserts only
};

/// Imports one chunk in one transaction, or finds in the ledger that it is in and changes nothing. The rows are in
/// exactly when this returns; after an exception none is, except kStoreUnavailable from the commit: then the ledger
/// row, on another connection, decides: call it again. Throws CsvError and kInvalidArgument for what is wrong with the
/// file or a record (line and byte offset in the text), or the store's error. `check` is called for each block that is
/// read and before the commit, and may throw to cancel. Where the server and the table allow it the rows go in by
/// `load data`; a load that does not go through in full is rolled back and done again by inserts.
[[nodiscard]] ChunkResult importChunk(
    sqlclient::Connection& connection,
    const SourceFile& file,
    const ChunkMeta& chunk,
    std::int32_t ordinal,
    const ImportJob& job,
    const std::function<void()>& check
);

}  // namespace disttask::csv_import
