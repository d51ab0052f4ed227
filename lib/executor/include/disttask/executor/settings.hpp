#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/runtime/clock.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace disttask::executor {

using runtime::Duration;

/// How a node's executor behaves; the defaults are those of DXF (contract 4.1) where it has one. A value; what
/// LiveSettings has may change later, the rest is fixed before the Manager is made.
struct ExecutorSettings {
  proto::ExecId exec_id;           ///< this node in `exec_id` and `host` columns
  std::string scope = "disttask";  ///< service scope, column `role` of dist_framework_meta
  std::int32_t slots = 1;          ///< CPU slots of this node
  std::int64_t memory_bytes = 0;   ///< memory that tasks of this node may share

  Duration task_check_interval = std::chrono::milliseconds(300);     ///< Manager's poll while there is work
  Duration subtask_check_interval = std::chrono::milliseconds(300);  ///< a task executor's look for subtasks
  Duration max_check_interval = std::chrono::seconds(2);             ///< both back off to this when idle
  Duration idle_exit = std::chrono::seconds(10);        ///< a task executor without a subtask ends and frees its slots
  Duration summary_interval = std::chrono::seconds(3);  ///< between summary writes of a run
  Duration ownership_check_interval = std::chrono::seconds(2);  ///< between looks whether running rows are still ours
  Duration param_check_interval = std::chrono::seconds(5);      ///< between looks for modified meta and slots
  Duration call_timeout = std::chrono::seconds(10);             ///< of one store call
  Duration retry_window = std::chrono::seconds(30);   ///< a state write is retried inside its slot for this long
  Duration stop_deadline = std::chrono::seconds(30);  ///< at a graceful stop, for runs to return
  Duration stuck_after = std::chrono::seconds(30);    ///< a cancelled run that goes on is reported after this

  std::int32_t max_abnormal_ends =
      3;  ///< ends of the process while a subtask ran alone, before it fails (design rule 9)
  std::int32_t prefetch_rows = 1000;      ///< pending subtasks that a task executor holds ready, at most
  std::int64_t prefetch_bytes = 8 << 20;  ///< and the bytes of their metas
  Duration forget_run_logs_after{};       ///< this node deletes older lines of runs itself; 0 = the owner does
  /// Schema `mysql`: a task of a type that is not offered here is skipped and counted, where the contract fails one
  /// subtask, and a run that asks for a retry but may not run twice fails in the words of DXF.
  bool beside_dxf = false;
};

/// What may change of them while the node works, beside its slots (SlotManager). Any thread.
class LiveSettings {
 public:
  explicit LiveSettings(const ExecutorSettings& settings) { set(settings); }
  void set(const ExecutorSettings& settings) {
    {
      const std::lock_guard lock(mutex_);
      scope_ = settings.scope;
    }
    memory_bytes_ = settings.memory_bytes;
    task_check_interval_ = settings.task_check_interval;
    subtask_check_interval_ = settings.subtask_check_interval;
    max_check_interval_ = settings.max_check_interval;
    forget_run_logs_after_ = settings.forget_run_logs_after;
  }
  [[nodiscard]] std::string scope() const {
    const std::lock_guard lock(mutex_);
    return scope_;
  }
  [[nodiscard]] std::int64_t memoryBytes() const noexcept { return memory_bytes_; }
  [[nodiscard]] Duration taskCheckInterval() const noexcept { return task_check_interval_; }
  [[nodiscard]] Duration subtaskCheckInterval() const noexcept { return subtask_check_interval_; }
  [[nodiscard]] Duration maxCheckInterval() const noexcept { return max_check_interval_; }
  [[nodiscard]] Duration forgetRunLogsAfter() const noexcept { return forget_run_logs_after_; }

 private:
  mutable std::mutex mutex_;
  std::string scope_;  // guarded by mutex_
  std::atomic<std::int64_t> memory_bytes_{0};
  std::atomic<Duration> task_check_interval_{};
  std::atomic<Duration> subtask_check_interval_{};
  std::atomic<Duration> max_check_interval_{};
  std::atomic<Duration> forget_run_logs_after_{};
};

}  // namespace disttask::executor
