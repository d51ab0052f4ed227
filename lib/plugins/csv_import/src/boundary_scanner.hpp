#pragma once
#include "csv_error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace disttask::csv_import {

/// Finds where records end, without taking them apart: the planner's pass. The grammar is that of libcsv in strict mode
/// with blanks kept (a test holds the two against each other), and lone carriage returns are refused. Bytes come in
/// blocks of any size. One thread.
class BoundaryScanner {
 public:
  /// Starts at the beginning of a record.
  BoundaryScanner(Grammar grammar, FilePlace start);

  /// Scans until the first end of a record at or behind offset `stop_at`, with the line breaks that follow it; returns
  /// how many bytes that were (all of them: go on with the next block, or finish). Throws CsvError.
  std::size_t scan(std::string_view block, std::uint64_t stop_at);
  /// The file ends here: ends the last record. Throws CsvError.
  void finish();

  /// True once scan has stopped: the place is a record boundary, and the byte there belongs to the next record.
  [[nodiscard]] bool hasStopped() const noexcept { return stopped_; }
  [[nodiscard]] FilePlace place() const noexcept { return place_; }
  /// Returns how many records have ended.
  [[nodiscard]] std::uint64_t numRecords() const noexcept { return num_records_; }

 private:
  enum class State : std::uint8_t { kRecordStart, kFieldStart, kUnquoted, kQuoted, kQuoteInQuoted, kAfterReturn };
  void endRecord() noexcept;

  std::array<std::uint8_t, 256> kind_{};
  State state_ = State::kRecordStart;
  FilePlace place_;
  FilePlace record_;  // where the present record began
  FilePlace quote_;   // where the present quoted field began
  std::uint64_t num_records_ = 0;
  std::uint64_t records_at_stop_ = 0;
  bool stopped_ = false;
};

}  // namespace disttask::csv_import
