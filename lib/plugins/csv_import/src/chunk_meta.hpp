#pragma once
#include "csv_error.hpp"
#include "source_file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::csv_import {

/// What the planner says about one byte range of the file: the meta of a subtask of step `import`.
struct ChunkMeta {
  FilePlace start;
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
  std::uint64_t hash = 0;  ///< RangeHash of the bytes
  FileIdentity file;
  std::vector<std::string> columns;

  [[nodiscard]] std::string dump() const;
  /// Throws kInvalidArgument for a text that dump() did not write.
  [[nodiscard]] static ChunkMeta parse(std::string_view text);
};

/// What one chunk did; what the ledger keeps, and the result meta of its subtask.
struct ChunkResult {
  std::uint64_t records = 0;  ///< in the range
  std::uint64_t written = 0;  ///< rows inserted or replaced
  std::uint64_t bad = 0;      ///< records that went to the rejects file
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
  std::string row_sum = "0";  ///< sum of the row hashes of the inserted records, decimal
  bool done_before = false;   ///< the ledger knew it: nothing was written now
  bool loaded = false;        ///< by `load data`, not by inserts
  std::string rejects;        ///< path of the rejects file, if any

  [[nodiscard]] std::string dump() const;
  [[nodiscard]] static ChunkResult parse(std::string_view text);
};

/// What all chunks of a task should add up to, by the planner.
struct ImportTotals {
  std::uint64_t chunks = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hash_sum = 0;  ///< modulo 2^64
  void add(const ChunkResult& chunk) noexcept;
  friend bool operator==(const ImportTotals&, const ImportTotals&) = default;
};

/// One subtask of step `verify`: a range of the primary key, both ends optional, or one half of a table without such a
/// key; and what the whole must come to.
struct VerifyMeta {
  std::int32_t part = 1;
  std::int32_t parts = 1;
  std::string key;                   ///< column; empty: the whole table
  std::optional<std::string> from;   ///< included, decimal
  std::optional<std::string> to;     ///< excluded, decimal
  std::optional<std::int32_t> half;  ///< 0 or 1: the rows whose first hashed column has this as the last bit of its CRC
  ImportTotals totals;
  std::vector<std::string> columns;

  [[nodiscard]] std::string dump() const;
  [[nodiscard]] static VerifyMeta parse(std::string_view text);
};

}  // namespace disttask::csv_import
