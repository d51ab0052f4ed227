#pragma once
#include "csv_error.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "import_options.hpp"
#include "row_hash.hpp"
#include "target_table.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace disttask::csv_import {

/// Where a row came from, for messages and for the rejects.
struct RowSource {
  FilePlace place;
  std::uint64_t end = 0;
  std::uint64_t hash = 0;
};

/// Inserts rows in batches within the caller's transaction. A row that the server refuses is found by halving its
/// batch. One thread.
class RowWriter {
 public:
  /// Gets a row that the server refuses, and why; throws to give up.
  using OnRefused = std::function<void(const RowSource&, const std::string&)>;

  /// With `undo_singly` a row that the server took, but changed, can be taken back alone; else such a row ends
  /// everything.
  RowWriter(
      sqlclient::Connection& connection,
      const TargetTable& target,
      OnDuplicate mode,
      bool undo_singly,
      OnRefused on_refused
  );

  /// Returns the place of the next row's values: columns.size() of them, to be filled before push.
  [[nodiscard]] sqlclient::Value* next() noexcept { return &values_[sources_.size() * num_columns_]; }
  /// The values of next() are a row; `bytes` is about its size. Writes the batch when that is full.
  void push(const RowSource& source, std::uint64_t bytes);
  /// Writes what is left.
  void flush();

  [[nodiscard]] std::uint64_t numWritten() const noexcept { return num_written_; }
  /// Returns the sum of the hashes of the rows written.
  [[nodiscard]] const RowSum& sum() const noexcept { return sum_; }

 private:
  void write(std::size_t first, std::size_t count);
  void writePiece(std::size_t first, std::size_t count);
  std::int64_t insert(std::size_t first, std::size_t count);
  /// Returns what the server warned about in the last insert; empty: nothing that changes a value.
  std::string warning();
  void refuseChanged(std::size_t first, std::size_t count);

  sqlclient::Connection& connection_;
  const TargetTable& target_;
  const OnDuplicate mode_;
  const OnRefused on_refused_;
  const std::size_t num_columns_;
  const std::size_t capacity_;  // rows of a full batch
  const bool watch_warnings_;   // the server may change a value with no more than a warning
  const bool counts_warnings_;  // the server does not say which row it warns about
  const bool use_savepoints_;
  std::vector<std::string> texts_;  // insert of 2^i rows; the last one of a full batch
  sqlclient::Values values_;        // capacity_ rows, in order
  sqlclient::Values piece_;
  std::vector<RowSource> sources_;
  std::uint64_t bytes_ = 0;
  std::uint64_t num_written_ = 0;
  RowSum sum_;
};

}  // namespace disttask::csv_import
