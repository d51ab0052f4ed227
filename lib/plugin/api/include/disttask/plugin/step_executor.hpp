#pragma once
#include "disttask/base/error.hpp"
#include "disttask/proto/step_resource.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/runtime/cancel.hpp"
#include "disttask/runtime/clock.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace disttask::plugin {

/// What the framework offers to one run of one subtask. Any thread, while the run lasts.
class RunContext {
 public:
  virtual ~RunContext() = default;
  /// Cancelled when this run should end: return soon, with any result; the cause decides what is written.
  [[nodiscard]] virtual const runtime::CancelToken& token() const noexcept = 0;
  /// Waits, at most until the run is cancelled; false when it was.
  virtual bool sleepFor(runtime::Duration duration) = 0;
  /// Adds to the counters of this run (column `summary`).
  virtual void addProgress(std::int64_t rows, std::int64_t bytes, std::int64_t read_bytes) noexcept = 0;
  [[nodiscard]] virtual proto::SubtaskSummary progress() const noexcept = 0;
  /// Returns the checkpoint that an earlier run left; empty when none did.
  virtual std::string getCheckpoint() = 0;
  /// Writes the checkpoint, guarded by the run token; throws kLost when the row is not ours any more (the run is being
  /// cancelled then).
  virtual void putCheckpoint(const std::string& checkpoint) = 0;
  /// Names this run; a type that fences its own side effects stores it beside them.
  [[nodiscard]] virtual proto::RunToken runToken() const noexcept = 0;
  /// A line that plugin code logged in this run, which is in the host's log already: the last ones are kept for people
  /// who look at the subtask. `level`: "debug", "info", "warn" or "error"; `text`: valid UTF-8.
  virtual void noteLogLine(std::string_view /*level*/, std::string_view /*text*/) {}
  /// Returns for how long this node may still count on being alive; side effects begun later may overlap with a run
  /// elsewhere.
  [[nodiscard]] virtual runtime::Duration validFor() const noexcept = 0;
};

/// What the framework tells a step executor about its place; set before init (DXF's StepExecFrameworkInfo).
class StepExecFrameworkInfo {
 public:
  [[nodiscard]] proto::Step getStep() const noexcept { return step_; }
  [[nodiscard]] proto::StepResource getResource() const {
    const std::lock_guard lock(mutex_);
    return resource_;
  }
  void setResource(const proto::StepResource& resource) {
    const std::lock_guard lock(mutex_);
    resource_ = resource;
  }
  void setFrameworkInfo(proto::Step step, const proto::StepResource& resource) {
    step_ = step;
    setResource(resource);
  }

 private:
  proto::Step step_ = proto::kStepInit;
  mutable std::mutex mutex_;
  proto::StepResource resource_;
};

/// Runs the subtasks of one step of one task on this node. One object serves all of them: one after the other, unless
/// the task type allows parallel subtasks; then runSubtask, onFinished and realtimeSummary are called from several
/// threads at once, each with its own subtask. Every method may throw; what an exception means is said at each. `token`
/// is cancelled when the step should end.
class StepExecutor : public StepExecFrameworkInfo {
 public:
  virtual ~StepExecutor() = default;
  /// Called once before the first subtask. A retryable error: again later; else it fails the task. After a failed init
  /// there is no cleanup.
  virtual void init(const runtime::CancelToken& token) = 0;
  /// Runs one subtask. It may change `subtask.meta`: that becomes the result. An exception with reaction kRetry or
  /// kBackOff, or one that isRetryableError accepts, means: try again later; code kPrecondition with reaction kBackOff
  /// is not special. Throwing HandBack gives the subtask to another node. Any other exception fails the subtask.
  virtual void runSubtask(RunContext& context, proto::Subtask& subtask) = 0;
  /// Returns what the run has done so far; nothing: no summary is written.
  virtual std::optional<proto::SubtaskSummary> realtimeSummary(const RunContext& context) = 0;
  /// Called after runSubtask succeeded and before the finish is written; may change `subtask.meta`; its exception
  /// counts as the subtask's.
  virtual void onFinished(RunContext& context, proto::Subtask& subtask) = 0;
  /// Called exactly once after a successful init, also after cancel and failure; an exception is only logged.
  virtual void cleanup(const runtime::CancelToken& token) = 0;
  /// The task's meta changed while this step runs. An exception: a new step executor is made.
  virtual void taskMetaModified(const runtime::CancelToken& token, const std::string& meta) = 0;
  /// The slots changed while this step runs. An exception: the change is not applied now and tried again.
  virtual void resourceModified(const runtime::CancelToken& token, const proto::StepResource& resource) = 0;
};

/// Returns the counters of a run; nothing while it has counted nothing, so that the row of a type that counts nothing
/// keeps the empty summary that it was made with.
[[nodiscard]] inline std::optional<proto::SubtaskSummary> countedBy(const RunContext& context) {
  const auto counted = context.progress();
  return counted == proto::SubtaskSummary{} ? std::nullopt : std::optional(counted);
}

/// All of StepExecutor, doing nothing: for steps that need no subtask work, and as a base (DXF's EmptyStepExecutor).
class EmptyStepExecutor : public StepExecutor {
 public:
  void init(const runtime::CancelToken&) override {}
  void runSubtask(RunContext&, proto::Subtask&) override {}
  std::optional<proto::SubtaskSummary> realtimeSummary(const RunContext& context) override {
    return countedBy(context);
  }
  void onFinished(RunContext&, proto::Subtask&) override {}
  void cleanup(const runtime::CancelToken&) override {}
  void taskMetaModified(const runtime::CancelToken&, const std::string&) override {}
  void resourceModified(const runtime::CancelToken&, const proto::StepResource&) override {}
};

/// Thrown by runSubtask when this node cannot run the subtask but another may; by TaskType::nextStep, plan and revert
/// when this node cannot plan the task but another may.
class HandBack : public Exception {
 public:
  explicit HandBack(std::string message)
      : Exception(Error(ErrorCode::kPrecondition, Reaction::kBackOff, std::move(message))) {}
};

}  // namespace disttask::plugin
