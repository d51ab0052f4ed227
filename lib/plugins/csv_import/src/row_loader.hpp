#pragma once
#include "disttask/sqlclient/connection.hpp"
#include "row_sink.hpp"
#include "target_table.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace disttask::csv_import {

/// Thrown when a load did not go through in full: its transaction is to be rolled back, and the rows written by
/// inserts, which tell what is wrong and with which row.
struct LoadRefused {
  std::string reason;
  bool for_good = false;  ///< the server does not allow it at all
};

/// Whether chunks of a step are still tried by loads here: not any more once the server forbids them, or has refused
/// several, since each costs its chunk a second run. Any thread.
class LoadTrust {
 public:
  [[nodiscard]] bool isGiven() const noexcept { return refusals_.load() < kMaxRefusals; }
  void note(const LoadRefused& refused) noexcept { refusals_ += refused.for_good ? kMaxRefusals : 1; }

 private:
  static constexpr int kMaxRefusals = 3;
  std::atomic<int> refusals_{0};
};

/// Appends a row as `load data` reads it with statements::loadRows: bytes as they are but for tab, line feed, backslash
/// and zero bytes, which are escaped; NULL is \N.
void appendRow(std::string& text, const sqlclient::Value* values, std::size_t count);

/// True when the server allows local loads here and they are what an insert does: MariaDB with local_infile, not a
/// Galera cluster (which may commit within one). Asks the server.
[[nodiscard]] bool serverTakesLoads(sqlclient::Connection& connection);
/// True when a load gives this table the same rows as inserts, sooner: text columns in utf8mb4, all columns in the
/// file, no number made up; and no index: with some, inserts by several sessions are as quick and cost the server less
/// (measured).
[[nodiscard]] bool tableTakesLoads(const TargetTable& target);

/// Gathers the rows of a chunk as text and gives them to the server by `load data local infile`, the text in one piece
/// if it has up to 4 MiB. One thread.
class RowLoader final : public RowSink {
 public:
  /// `load` is called for each piece and must call `send` within the transaction; `check` while it is sent, and may
  /// throw to cancel: then the connection is broken.
  RowLoader(
      sqlclient::Connection& connection,
      const TargetTable& target,
      std::uint64_t expected_bytes,
      std::function<void(const std::function<void()>& send)> load,
      std::function<void()> check
  );

  [[nodiscard]] sqlclient::Value* next() noexcept override { return values_.data(); }
  void push(const RowSource& source, std::uint64_t bytes) override;
  /// Throws LoadRefused when the server took less than all rows as they are.
  void flush() override;

 private:
  void send();

  sqlclient::Connection& connection_;
  const std::function<void(const std::function<void()>&)> load_;
  const std::function<void()> check_;
  const std::string statement_;
  sqlclient::Values values_;  // of the next row
  std::string text_;
  std::uint64_t num_rows_ = 0;  // in text_
  RowSum rows_sum_;             // of those
};

}  // namespace disttask::csv_import
