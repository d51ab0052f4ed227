#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "import_options.hpp"
#include "row_sink.hpp"
#include "target_table.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace disttask::csv_import {

/// True if the server refuses a row for its content: halving the batch finds it. Not so for a transaction that is too
/// large as a whole.
[[nodiscard]] bool isRefusal(const Error& error);
/// The number of TiDB's 'transaction is too large'.
inline constexpr int kTransactionTooLarge = 8004;

/// Inserts rows in batches within the caller's transaction. A row that the server refuses is found by halving its
/// batch. One thread.
class RowWriter final : public RowSink {
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

  [[nodiscard]] sqlclient::Value* next() noexcept override { return &values_[sources_.size() * num_columns_]; }
  void push(const RowSource& source, std::uint64_t bytes) override;
  void flush() override;

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
};

}  // namespace disttask::csv_import
