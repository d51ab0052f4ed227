#pragma once
#include "disttask/executor/extension.hpp"
#include "disttask/executor/node_services.hpp"
#include "disttask/plugin/task_type.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "subtask_run.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

namespace disttask::executor {

/// What a step run borrows; everything outlives it.
struct StepParts {
  NodeServices& node;
  storage::TaskTable& table;
  Extension& type;
  const plugin::TaskTypeOptions& options;
  runtime::Wakeup& coordinator;  ///< woken when the queue runs low and when a run has ended
};

/// How many subtasks of a task may run at a time here.
struct Parallel {
  std::int32_t runs = 1;
  bool borrows = false;  ///< all but the first need free slots of the node (design rule 18)
};
/// Pure: from the type's options, what the submitter asked for, and the slots.
[[nodiscard]] Parallel decideParallel(
    const plugin::TaskTypeOptions& options, const proto::TaskBase& task, std::int32_t node_slots
);

/// One step of one task on this node: its step executor, the queue of pending subtasks, and the threads that run them.
///
/// The coordinator (the task executor's run thread) owns it and calls everything except interrupt, which any thread may
/// call. Queued subtasks stay pending in the store until a runner thread starts them, so they may be moved away at any
/// time.
class StepRun {
 public:
  StepRun(
      const StepParts& parts,
      const proto::TaskBase& task,
      std::unique_ptr<plugin::StepExecutor> executor,
      Parallel parallel
  );
  StepRun(const StepRun&) = delete;
  StepRun& operator=(const StepRun&) = delete;
  ~StepRun() { close(); }

  /// Queues those of these pending rows that are not queued or running; returns how many were new.
  std::size_t offer(std::vector<proto::Subtask> rows);
  /// Forgets the queue; runs go on.
  void clearQueue();
  /// Takes no more subtasks; runs go on.
  void drain();
  /// As drain, and cancels the runs that `cause` may cancel. Any thread.
  void interrupt(runtime::CancelCause cause);
  /// Cancels one run.
  void interruptRun(proto::SubtaskId id, runtime::CancelCause cause);
  /// Lets runners that wait for a borrowed slot look again.
  void kick();
  /// Waits until all runs have returned, then ends the threads. Idempotent.
  void close();

  [[nodiscard]] std::size_t numQueued() const;
  /// Returns how many subtasks are being started, run, or have their end written.
  [[nodiscard]] std::size_t numActive() const;
  /// True when more rows would be welcome.
  [[nodiscard]] bool isLow() const;
  [[nodiscard]] bool isDraining() const;
  /// True when nothing can be started here for now (the store failed for the whole retry window): the task should give
  /// its slots up.
  [[nodiscard]] bool hasTrouble() const;
  [[nodiscard]] std::vector<std::shared_ptr<SubtaskRun>> runs() const;
  /// Counts starts and ends of subtasks: when it has moved, another look at the store is worth it.
  [[nodiscard]] std::int64_t progress() const noexcept { return progress_; }

  [[nodiscard]] proto::Step step() const noexcept { return task_.step; }
  [[nodiscard]] plugin::StepExecutor& executor() noexcept { return *executor_; }
  [[nodiscard]] const Parallel& parallel() const noexcept { return parallel_; }

 private:
  struct Item {
    proto::Subtask row;
    bool idempotent = false;
  };

  void addRunner();
  void runnerLoop(std::int32_t index);
  [[nodiscard]] std::optional<Item> take(std::int32_t index);
  void runItem(Item item);
  [[nodiscard]] bool start(const Item& item);
  void writeRunEnd(const SubtaskRun& run, Item& item, RunResult result, std::optional<Error> error);
  [[nodiscard]] bool isRetryable(const Error& error);
  [[nodiscard]] bool isIdempotent(const proto::Subtask& row) noexcept;

  // constant after construction
  const StepParts parts_;
  const proto::TaskBase task_;
  const std::unique_ptr<plugin::StepExecutor> executor_;
  const Parallel parallel_;

  runtime::CancelSource step_source_;  // ends waits that come before a start
  std::atomic<std::int64_t> progress_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::deque<Item> queue_;
  std::set<proto::SubtaskId> known_;  // queued, being started, running, or being ended
  std::map<proto::SubtaskId, std::shared_ptr<SubtaskRun>> runs_;
  std::optional<runtime::CancelCause> cause_;
  std::int32_t num_runners_ = 0;
  std::int32_t num_idle_ = 0;
  bool taking_ = true;
  bool closed_ = false;
  bool trouble_ = false;

  runtime::ThreadGroup runners_;  // last: its threads use the members above
};

}  // namespace disttask::executor
