#pragma once
#include "csv_error.hpp"
#include "disttask/sqlclient/connection.hpp"
#include "row_hash.hpp"

#include <cstdint>

namespace disttask::csv_import {

/// Where a row came from, for messages and for the rejects.
struct RowSource {
  FilePlace place;
  std::uint64_t end = 0;
  std::uint64_t hash = 0;
};

/// Takes the rows of one chunk to the table. One thread.
class RowSink {
 public:
  RowSink() = default;
  RowSink(const RowSink&) = delete;
  RowSink& operator=(const RowSink&) = delete;
  virtual ~RowSink() = default;

  /// Returns the place of the next row's values, one for each column of the target, to be filled before push.
  [[nodiscard]] virtual sqlclient::Value* next() noexcept = 0;
  /// The values of next() are a row; `bytes` is about its size. Writes what has gathered when that is enough.
  virtual void push(const RowSource& source, std::uint64_t bytes) = 0;
  /// Writes what is left.
  virtual void flush() = 0;

  [[nodiscard]] std::uint64_t numWritten() const noexcept { return num_written_; }
  /// Returns the sum of the hashes of the rows written.
  [[nodiscard]] const RowSum& sum() const noexcept { return sum_; }

 protected:
  /// Counts rows that the server took; `hashes` is the sum of theirs.
  void noteWritten(std::uint64_t rows, const RowSum& hashes) noexcept {
    num_written_ += rows;
    sum_.add(hashes);
  }

 private:
  std::uint64_t num_written_ = 0;
  RowSum sum_;
};

}  // namespace disttask::csv_import
