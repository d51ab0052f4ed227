#pragma once
#include "chunk_meta.hpp"
#include "import_options.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::csv_import {

/// Where planning goes on: the place of the next chunk, and what must not change meanwhile. Empty text = from the
/// start.
struct PlanCursor {
  FilePlace place;
  FileIdentity file;
  std::vector<std::string> columns;
  ImportTotals done;  ///< of the chunks so far, without hash_sum

  [[nodiscard]] std::string dump() const;
  [[nodiscard]] static PlanCursor parse(std::string_view text);
};

/// Reads the head of the file: drops a byte order mark and skip_lines lines, reads the header, settles the columns.
/// Throws kInvalidArgument with what is wrong with the file, also for an empty one.
[[nodiscard]] PlanCursor readHead(const SourceFile& file, const ImportOptions& options);

/// Cuts the file into chunks from `cursor`, in one streaming pass; the same cursor gives the same chunks. Moves the
/// cursor on. `take` gets each chunk and says false when it is full: that chunk was not taken, and planning ends there.
/// Returns true at the end of the file. `check` is called about every 256 KiB and may throw to cancel. Throws CsvError,
/// kInvalidArgument.
bool planChunks(
    const SourceFile& file,
    const ImportOptions& options,
    PlanCursor& cursor,
    const std::function<bool(const ChunkMeta&)>& take,
    const std::function<void()>& check
);

}  // namespace disttask::csv_import
