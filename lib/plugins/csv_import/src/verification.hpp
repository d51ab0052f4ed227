#pragma once
#include "chunk_meta.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "import_options.hpp"
#include "ledger.hpp"
#include "target_table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace disttask::csv_import {

/// What a part of a verification found; the last part to end has the whole.
struct VerifyResult {
  std::int32_t part = 1;
  std::int32_t parts = 1;
  std::uint64_t rows = 0;  ///< of this part
  std::string checksum;    ///< of this part
  bool whole = false;      ///< all parts are in, and agree with what was imported
  std::uint64_t verified_rows = 0;
  std::uint64_t bad_records = 0;
  std::string total_checksum;
  std::vector<std::string> columns_left_out;
  bool by_table = true;  ///< false: the ledger's sums were held against the planner's, the table was not read

  [[nodiscard]] std::string dump() const;
};

/// Cuts the verification into parts: by ranges of the integer primary key, about `rows_per_part` rows each, at most
/// `max_parts`; else in two halves, if it is large but not too large to be in the server's memory; else one part.
[[nodiscard]] std::vector<VerifyMeta> planVerification(
    sqlclient::Connection& connection,
    const ImportOptions& options,
    const TargetTable& target,
    const ImportTotals& totals,
    std::int32_t max_parts
);

/// Verifies one part and keeps what it found in the ledger under `task`; whoever finds all parts there compares: with
/// the chunks' ledger rows under `root`, and those with the planner's totals. Throws kPrecondition "verification
/// failed: …" with both figures.
[[nodiscard]] VerifyResult verifyPart(
    sqlclient::Connection& connection,
    const ImportOptions& options,
    const TargetTable& target,
    const Ledger& ledger,
    std::int64_t task,
    std::int64_t root,
    const VerifyMeta& meta
);

/// Rows that one part of a verification reads, about.
inline constexpr std::uint64_t kRowsPerPart = 250'000;

/// Splits [least, most] into `parts` ranges of about the same width: the parts - 1 inner bounds, ascending. Pure;
/// decimal texts of 64-bit numbers, signed or not.
[[nodiscard]] std::vector<std::string> splitRange(
    const std::string& least, const std::string& most, std::int32_t parts
);

}  // namespace disttask::csv_import
