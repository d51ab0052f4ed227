#pragma once
#include "disttask/executor/extension.hpp"
#include "disttask/executor/node_services.hpp"
#include "disttask/observability/log_context.hpp"
#include "disttask/plugin/task_type.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "held.hpp"
#include "subtask_run.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace disttask::executor {

/// What a step run borrows; everything outlives it.
struct StepParts {
  NodeServices& node;
  storage::TaskTable& table;
  Extension& type;
  const plugin::TaskTypeOptions& options;
  runtime::Wakeup& coordinator;  ///< woken when the queue runs low and when nothing is left to do
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

/// Asks a task type whether a subtask may run again; what it cannot say counts as no.
[[nodiscard]] bool isIdempotent(Extension& type, const proto::Subtask& row) noexcept;

/// One step of one task on this node: its step executor, the queue of pending subtasks, and the threads that run them.
///
/// The coordinator (the task executor's run thread) owns it and calls everything except interrupt, which any thread may
/// call. Queued subtasks stay pending in the store until their start is written, so they may be moved away at any time.
///
/// A subtask goes: queued → starting (its start is with the node's writer) → ready (confirmed) → running → ending (its
/// finish is with the writer, mostly together with the start of the next one, which takes its place over) → gone. The
/// threads share these: whichever is free takes what is next, so that a row of quick subtasks is run by few threads and
/// written by few statements; runs of microseconds are done by one, while a second one looks on. As many threads as
/// places: somebody is always there for what is not running. What is out of the ordinary (an end that is no finish, a
/// write that failed, a subtask that ended its process before) is done by one thread alone, waiting.
class StepRun final : private WriteOwner {
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

  /// Queues those of these pending rows that are not queued or running; returns how many were new. `more`: the store
  /// has further ones, so say so (isLow) while there is still half of this left.
  std::size_t offer(std::vector<proto::Subtask> rows, bool more);
  /// Forgets the queue; runs go on.
  void clearQueue();
  /// Takes no more subtasks; runs go on.
  void drain();
  /// Takes subtasks again after drain, unless it was interrupted.
  void goOn();
  /// As drain, and cancels the runs that `cause` may cancel. Any thread.
  void interrupt(runtime::CancelCause cause);
  /// Cancels one run.
  void interruptRun(proto::SubtaskId id, runtime::CancelCause cause);
  /// Cancels runs on borrowed slots, as preempted, until `slots` are on their way back; returns how many are. Any
  /// thread.
  std::int32_t recallBorrowed(std::int32_t slots);
  /// Lets a thread look whether what had to wait (for slots, for a subtask that is alone) can go on.
  void kick();
  /// Waits until all runs have returned, then ends the threads. Idempotent.
  void close();

  [[nodiscard]] std::size_t numQueued() const;
  /// Returns the bytes of the metas that are queued.
  [[nodiscard]] std::int64_t numQueuedBytes() const;
  /// Returns how many subtasks are being started, run, or have their end written.
  [[nodiscard]] std::size_t numActive() const;
  /// True when more rows would be welcome.
  [[nodiscard]] bool isLow() const;
  [[nodiscard]] bool isDraining() const;
  /// True when nothing can be started here for now (the store failed for the whole retry window), until something is:
  /// with nothing active the task should give its slots up.
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
    // From before its start on; `has_place` until the next one takes the place over.
    bool has_place = false;
    bool first_place = false;  ///< the one on the task's own slots
    Held slots;                ///< borrowed ones of another place
    Held shared;
    Held run;
  };
  using Items = std::unordered_map<proto::SubtaskId, Item>;
  /// An end to be written by one thread, waiting.
  struct End {
    Item item;
    RunEnd end;
  };

  // The threads (step_run.cpp); what ends in Locked wants mutex_ held.
  void addRunner();
  void runnerLoop();
  bool doNext(std::unique_lock<std::mutex>& lock);
  void standBy() const noexcept;
  void awaitQuickRuns() const noexcept;
  void wakeOneLocked();
  [[nodiscard]] bool hasWorkLocked() const;
  void dropQueueLocked();

  // Places, starts and finishes (step_writes.cpp).
  std::optional<Item> takeLocked(Item* predecessor);
  bool startMore(std::unique_lock<std::mutex>& lock);
  void finish(Item item, RunEnd end);
  void release(Item item);
  void releaseLocked(const Item& item);
  [[nodiscard]] bool maySendStarts() const noexcept override { return taking_; }
  void concluded(RunWrites writes, RunWritesResult result) noexcept override;
  void concludeStart(proto::SubtaskId id, const std::optional<storage::RunWriteResult>& result);
  void concludeFinish(storage::RunFinish finish, const storage::RunWriteResult& result);
  [[nodiscard]] bool mustDrive() noexcept override;

  // One subtask (subtask_runner.cpp).
  void startAlone(Item item);
  [[nodiscard]] bool start(const Item& item);
  [[nodiscard]] bool loadMeta(Item& item);
  void runReady(Item item);
  void endRun(Item item, const SubtaskRun& run, RunResult result, std::optional<Error> error);
  void writeAlone(End end);
  /// What a run without a result has counted is kept in its row, once and if the store takes it.
  void keepCounters(const SubtaskRun& run);
  [[nodiscard]] bool isRetryable(const Error& error);

  // constant after construction
  const StepParts parts_;
  const proto::TaskBase task_;
  const std::vector<observability::Field> log_fields_;  // of the task
  const std::unique_ptr<plugin::StepExecutor> executor_;
  const Parallel parallel_;

  runtime::CancelSource step_source_;  // ends waits that come before a start
  std::atomic<std::int64_t> progress_{0};
  std::atomic<bool> taking_{true};  // written under mutex_
  // A write of ours may be waiting for a sender. A thread may set it without mutex_ that comes for work afterwards.
  std::atomic<bool> must_drive_{false};
  // What standBy and awaitQuickRuns go by; written by the threads without mutex_, steady clock.
  std::atomic<std::int32_t> num_in_runs_{0};
  std::atomic<std::int64_t> last_run_began_ns_{0};
  std::atomic<std::int64_t> last_run_took_ns_{INT64_MAX};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::deque<Item> queue_;
  std::int64_t queued_bytes_ = 0;
  std::size_t low_mark_ = 0;
  std::unordered_set<proto::SubtaskId> known_;  // queued, and all that follows
  Items starting_;
  std::deque<Item> ready_;
  std::deque<Item> starts_alone_;
  Items ending_;
  std::deque<End> ends_alone_;
  std::map<proto::SubtaskId, std::shared_ptr<SubtaskRun>> runs_;
  std::optional<runtime::CancelCause> cause_;
  std::int32_t num_runners_ = 0;
  std::int32_t num_free_ = 0;  // threads that look for work, neither idle nor busy with a subtask
  std::int32_t num_idle_ = 0;
  std::int32_t num_writing_alone_ = 0;  // threads in writeAlone
  bool waking_ = false;                 // an idle thread is on its way
  std::int32_t num_places_taken_ = 0;
  bool first_place_taken_ = false;
  bool closed_ = false;
  bool trouble_ = false;

  runtime::ThreadGroup runners_;  // last: its threads use the members above
};

}  // namespace disttask::executor
