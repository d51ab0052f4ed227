#pragma once
#include "disttask/base/error.hpp"
#include "disttask/proto/step_resource.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/runtime/cancel.hpp"
#include "disttask/runtime/clock.hpp"

#include <cstdint>
#include <limits>
#include <vector>

namespace disttask::executor {

/// A run of a subtask that plugin code has now.
struct LiveRun {
  proto::SubtaskId id;
  runtime::Duration age{};    ///< since its start was confirmed
  bool is_cancelled = false;  ///< was told to return
};
/// What a task executor does now; for people who look for what hangs.
struct TaskActivity {
  std::size_t queued = 0;  ///< pending subtasks that it holds ready
  std::size_t active = 0;  ///< subtasks that are being started, run, or have their end written
  std::vector<LiveRun> runs;
};

/// Runs one task on this node (DXF's TaskExecutor). The cancel tree: Manager → task executor → step → run of a subtask.
///
/// The Manager owns it: init, then run on a thread of its work pool, then close. cancel, cancelRunningSubtask,
/// interrupt and nudge come from other threads and return at once.
class TaskExecutor {
 public:
  virtual ~TaskExecutor() = default;
  /// Prepares. An exception that isRetryableError accepts: again at a later check; any other fails the task. `manager`
  /// does not end with the task, so nothing long-running may hang on it. Must not depend on the task's meta: that
  /// belongs into getStepExecutor.
  virtual void init(const runtime::CancelToken& manager) = 0;
  /// Runs step after step with this resource and returns when it found no subtask for a while (10 s), when the task
  /// left the running state, or when it was cancelled. May be called again after it returned. Does not throw.
  virtual void run(const proto::StepResource& resource) = 0;
  /// Returns the task as last read, without meta and error.
  [[nodiscard]] virtual proto::TaskBase getTaskBase() const = 0;
  /// Cancels the running subtasks, cause "cancel subtasks": their rows become canceled; the executor lives on.
  virtual void cancelRunningSubtask() = 0;
  /// Cancels everything and writes nothing: running rows stay as they are.
  virtual void cancel() = 0;
  /// Stops fetching and cancels what `cause` may cancel; rows are written as the cause says (see outcome.hpp). run
  /// returns when all runs have. A type of its own that knows no causes may leave it at this: cancel.
  virtual void interrupt(runtime::CancelCause /*cause*/) { cancel(); }
  /// Begins no further subtask; run returns when those that run have ended by themselves (the node drains). A type of
  /// its own that cannot may go on.
  virtual void drain() {}
  /// Takes a drain back that has not ended run yet: begins subtasks again (the node takes part again).
  virtual void goOn() {}
  /// A task of higher rank needs slots that this one has borrowed (design rule 18): cancels runs on borrowed slots
  /// until `slots` are on their way back; returns how many are. What runs on the task's own slots goes on.
  virtual std::int32_t recallBorrowed(std::int32_t /*slots*/) { return 0; }
  /// Returns up to which modification (NodeServices::modifications) this task runs with what was asked. A type of its
  /// own that does not say is not waited for.
  [[nodiscard]] virtual std::int64_t appliedModifications() const { return std::numeric_limits<std::int64_t>::max(); }
  /// Returns what it does now. A type of its own may leave it empty.
  [[nodiscard]] virtual TaskActivity activity() const { return {}; }
  /// There may be news for this task: look now. A hint.
  virtual void nudge() {}
  /// Cancels and waits until run has returned and all is released. Idempotent; not from run.
  virtual void close() = 0;
  [[nodiscard]] virtual bool isRetryableError(const Error& error) = 0;
};

}  // namespace disttask::executor
