#pragma once
#include "disttask/executor/extension.hpp"
#include "disttask/executor/registry.hpp"
#include "disttask/executor/task_executor.hpp"
#include "step_run.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

namespace disttask::executor {

/// What other threads reach of a task executor: its present step, why it should end, and the wake-up of its
/// coordinator. Any thread.
class TaskControl {
 public:
  /// `executor` is the task executor's own token; `modifications` were applied when `task` was read.
  TaskControl(
      runtime::Clock& clock,
      const proto::TaskBase& task,
      const runtime::CancelToken& executor,
      std::int64_t modifications
  )
      : wake_(clock), source_(executor), modifications_(modifications), task_(task) {}

  /// Ends the executor for `cause`; a second call with another cause reaches the runs that the first one spared.
  void interrupt(runtime::CancelCause cause);
  void interruptStep(runtime::CancelCause cause);
  /// Lets the executor end without cancelling anything, until goOn takes it back.
  void drain();
  void goOn();
  [[nodiscard]] bool isDraining() const;
  /// Cancels runs of the present step on borrowed slots; returns how many slots come back.
  std::int32_t recallBorrowed(std::int32_t slots);
  /// Returns what the present step does.
  [[nodiscard]] TaskActivity activity(runtime::TimePoint now) const;
  [[nodiscard]] bool isInterrupted() const;
  /// Returns the token of step executors: cancelled when the executor is to end, for whatever cause.
  [[nodiscard]] runtime::CancelToken token() const noexcept { return source_.token(); }
  void nudge();
  /// True if somebody nudged since the last call.
  [[nodiscard]] bool takeNudge();
  /// Up to which modification the task runs with what was asked.
  [[nodiscard]] std::int64_t appliedModifications() const noexcept { return modifications_; }
  void setAppliedModifications(std::int64_t number) noexcept { modifications_ = number; }
  [[nodiscard]] runtime::Wakeup& wakeup() noexcept { return wake_; }

  /// Makes a step visible to interrupts; false when one came before.
  [[nodiscard]] bool enterStep(std::shared_ptr<StepRun> step);
  void leaveStep();
  [[nodiscard]] proto::TaskBase task() const;
  void setTask(const proto::TaskBase& task);

 private:
  runtime::Wakeup wake_;
  runtime::CancelSource source_;
  std::atomic<std::int64_t> modifications_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  proto::TaskBase task_;
  std::shared_ptr<StepRun> step_;
  std::optional<runtime::CancelCause> cause_;
  bool nudged_ = false;
  bool draining_ = false;
};

/// What a task run borrows; everything outlives it.
struct TaskParts {
  NodeServices& node;
  storage::TaskTable& table;
  Extension& type;
  const plugin::TaskTypeOptions& options;
  TaskControl& control;
};

/// One call of BaseTaskExecutor::run: the coordinator's loop. Confined to the run thread.
class TaskRun {
 public:
  /// `resource` is what the Manager gave; once the task's slots change, it is counted anew.
  TaskRun(const TaskParts& parts, proto::Task task, const proto::StepResource& resource);
  void run();
  /// Returns the task as last read.
  [[nodiscard]] const proto::Task& task() const noexcept { return task_; }

 private:
  enum class Next : std::uint8_t { kGoOn, kExit };

  [[nodiscard]] Next pass();
  void waitForNext();
  // The task row (contract 4.5).
  [[nodiscard]] Next refresh();
  void follow(proto::TaskState state);
  /// Says that the task has the modifications up to now if it has: nobody else does while it ends.
  void acknowledge();
  [[nodiscard]] bool isBehind() const;
  [[nodiscard]] Next adopt(const proto::Task& fresh);
  [[nodiscard]] Next adoptSlots(const proto::Task& fresh, bool notify);
  // The step executor (contract 4.6).
  [[nodiscard]] bool makeStep();
  void endStep();
  void failOne(const Error& error);
  // The queue.
  [[nodiscard]] Next fetch();
  [[nodiscard]] std::vector<proto::Subtask> readPending();
  [[nodiscard]] storage::PickLimits limitsOfFetch() const;
  void clearQueue();
  /// Takes running rows of this step that a live TiDB's own executor began, which has moved them here.
  void takeUnmarked();
  // The checks beside running subtasks (contract 4.8).
  void checkRuns();
  void checkOwnership(const std::vector<std::shared_ptr<SubtaskRun>>& runs);
  void writeSummaries(const std::vector<std::shared_ptr<SubtaskRun>>& runs);
  void reportStuck(const std::vector<std::shared_ptr<SubtaskRun>>& runs);

  [[nodiscard]] bool isRetryable(const Error& error);
  [[nodiscard]] proto::StepResource resourceOf(const proto::TaskBase& task) const;
  [[nodiscard]] bool isVanished() const noexcept { return parts_.node.vanish.token().cancelled(); }
  [[nodiscard]] runtime::TimePoint now() const noexcept { return parts_.node.clock.now(); }
  void noteStoreError(std::string_view what, const Error& error);

  TaskParts parts_;
  proto::Task task_;
  proto::StepResource resource_;
  std::shared_ptr<StepRun> step_;
  bool draining_ = false;  // no new subtasks; leave when the runs have returned
  bool rests_ = false;     // the same, but it may be taken back
  bool first_pass_ = true;
  bool may_be_unmarked_ = false;  // there may be rows for takeUnmarked
  bool dry_told_ = true;          // the owner knows that the queue is dry
  Duration interval_;             // to the next look for subtasks, while there is none
  std::int64_t mean_meta_bytes_ = 0;
  std::int32_t after_ordinal_ = 0;  // rows up to here were read before: only a hint (design rule 16)
  runtime::TimePoint next_full_look_;
  std::int64_t progress_at_fetch_ = 0;
  bool fetched_all_ = false;  // the last fetch saw every pending row
  runtime::TimePoint last_busy_;
  runtime::TimePoint next_refresh_;
  runtime::TimePoint next_fetch_;
  runtime::TimePoint last_fetch_;
  runtime::TimePoint next_ownership_;
  runtime::TimePoint next_summary_;
  runtime::TimePoint next_params_;
  std::optional<runtime::TimePoint> store_fails_since_;
};

}  // namespace disttask::executor
