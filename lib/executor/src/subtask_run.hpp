#pragma once
#include "disttask/executor/node_services.hpp"
#include "disttask/executor/run_log_writer.hpp"
#include "disttask/plugin/step_executor.hpp"
#include "run_log_tail.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace disttask::executor {

/// One run of one subtask: what plugin code sees of the framework. Made by a runner thread when the start is confirmed;
/// the coordinator looks at it as well. Any thread.
class SubtaskRun final : public plugin::RunContext {
 public:
  SubtaskRun(
      NodeServices& node,
      storage::TaskTable& table,
      proto::SubtaskId id,
      bool idempotent,
      bool on_borrowed_slots = false
  );

  // plugin::RunContext
  [[nodiscard]] const runtime::CancelToken& token() const noexcept override { return token_; }
  bool sleepFor(runtime::Duration duration) override;
  void addProgress(std::int64_t rows, std::int64_t bytes, std::int64_t read_bytes) noexcept override;
  [[nodiscard]] proto::SubtaskSummary progress() const noexcept override;
  std::string getCheckpoint() override;
  void putCheckpoint(const std::string& checkpoint) override;
  void noteLogLine(std::string_view level, std::string_view text) override;
  [[nodiscard]] proto::RunToken runToken() const noexcept override { return run_token_; }
  [[nodiscard]] runtime::Duration validFor() const noexcept override { return node_.lease.validFor(); }

  [[nodiscard]] proto::SubtaskId id() const noexcept { return id_; }
  [[nodiscard]] bool idempotent() const noexcept { return idempotent_; }
  /// True if it runs beside the first one of its task, on slots that another task may need (design rule 18).
  [[nodiscard]] bool onBorrowedSlots() const noexcept { return on_borrowed_slots_; }
  /// True if a checkpoint of this run could not be read or written because the store failed.
  [[nodiscard]] bool metStoreFailure() const noexcept { return store_failed_; }
  /// Cancels the run if this cause may (design rule 12). Its store calls go on, so that it can keep how far it came,
  /// unless the cause says that the store or the row is out of reach.
  void interrupt(runtime::CancelCause cause) noexcept;
  [[nodiscard]] runtime::TimePoint beganAt() const noexcept { return began_at_; }
  /// Returns when the run was cancelled; nothing while it was not.
  [[nodiscard]] std::optional<runtime::TimePoint> cancelledAt() const noexcept;
  /// True once, for whoever reports that the run ignores its cancel.
  [[nodiscard]] bool claimStuckReport() noexcept { return !stuck_reported_.exchange(true); }

  /// Runs `look` unless the run has returned; markReturned waits for it. For the summary, which is the plugin's code as
  /// well.
  template <typename Look>
  void whileRunning(Look&& look) {
    const std::lock_guard lock(looking_);
    if (!returned_) look();
  }
  void markReturned();
  /// Hands what the run logged last to the node's writer, unless it has that already. `ordinary`: it was quick and has
  /// succeeded.
  void keepLog(bool ordinary);

  /// The summary written last; the coordinator's.
  std::string last_summary;

 private:
  [[nodiscard]] storage::Call call() const;

  NodeServices& node_;
  storage::TaskTable& table_;
  const proto::SubtaskId id_;
  const bool idempotent_;
  const bool on_borrowed_slots_;
  const proto::RunToken run_token_;
  const runtime::TimePoint began_at_;
  runtime::CancelSource source_;
  const runtime::CancelToken token_;
  runtime::CancelSource calls_;  ///< of its store calls; ends with the node
  std::atomic<std::int64_t> rows_{0};
  std::atomic<std::int64_t> bytes_{0};
  std::atomic<std::int64_t> read_bytes_{0};
  std::atomic<std::int64_t> cancelled_at_ns_{0};
  std::atomic<bool> stuck_reported_{false};
  std::atomic<bool> store_failed_{false};
  RunLogTail log_;
  std::mutex looking_;
  bool returned_ = false;  // guarded by looking_
};

}  // namespace disttask::executor
