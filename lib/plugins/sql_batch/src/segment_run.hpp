#pragma once
#include "archive.hpp"
#include "batch_step.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace disttask::sql_batch {

/// One run of one subtask. One thread.
class SegmentRun {
 public:
  SegmentRun(BatchStep& step, sdk::Run& run, const sdk::Subtask& subtask);
  /// Works until the segment is done. Throws what sdk::Step::runSubtask may.
  std::string work();

 private:
  void waitForLeave();
  void chunk();
  void readProgress(BatchSession& session);
  void report();
  void sayWaitsForTurn();
  void pause(sqlclient::Connection& connection, double chunk_ms);
  /// Returns how long to wait before another try; throws on when there have been enough.
  std::int64_t waitAfter(const Exception& exception);
  [[nodiscard]] bool isLast() const;  ///< the subtask that ends at the planned maximum
  [[nodiscard]] std::string result() const;

  BatchStep& step_;
  sdk::Run& run_;
  const SegmentMeta meta_;
  const std::int32_t ordinal_;
  bool shows_hold_;  // the checkpoint names a throttle
  bool begun_;       // the subtask has a row in the ledger, and the checkpoint says so
  std::shared_ptr<const TaskNote> note_;
  std::optional<BatchStatement> statement_;
  std::unique_ptr<Archive> archive_;
  std::optional<SegmentProgress> progress_;  // nothing: has to be read
  std::int64_t reported_ = 0;
  std::optional<std::chrono::steady_clock::time_point> said_turn_at_;
  int conflicts_ = 0;
  int reconnects_ = 0;
};

}  // namespace disttask::sql_batch
