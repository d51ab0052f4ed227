#pragma once
#include "disttask/plugin/step_executor.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/runtime/backoff.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace disttask::plugin {

/// What a task type allows and asks for.
struct TaskTypeOptions {
  std::int32_t retry_limit = 3;      ///< retries of one subtask after retryable errors; then it fails with the last one
  runtime::BackoffPolicy backoff{};  ///< between them
  std::int32_t parallel_subtasks =
      1;  ///< default number at a time of one task on one node; 0 = auto (as many as slots of the node)
  std::int32_t max_parallel_subtasks = 1;  ///< a submitter may ask for up to this; 0 = no limit
};

/// How much one call of plan may return.
struct PlanLimits {
  std::int32_t max_rows = 1000;
  std::int64_t max_bytes = 1 << 20;
};

/// What the framework offers to planning.
class PlanContext {
 public:
  virtual ~PlanContext() = default;
  [[nodiscard]] virtual const runtime::CancelToken& token() const noexcept = 0;
  /// Calls `each(ordinal, meta)` with the result metas of the succeeded subtasks of a step, by ordinal > `after`, as a
  /// stream in bounded memory. Stops when it returns false.
  virtual void readResults(
      proto::Step step, std::int32_t after, const std::function<bool(std::int32_t, const std::string&)>& each
  ) = 0;
  /// Returns how many nodes could run subtasks of this task now.
  [[nodiscard]] virtual std::int32_t numNodes() const noexcept = 0;
};

/// One answer of a planner: some subtasks, and where to go on.
struct PlannedBatch {
  std::vector<std::string> metas;
  std::string next_cursor;
  bool complete = false;
};

/// A task type as the framework uses it: planning, and making step executors. Implemented by the plugin adapter, or by
/// an embedder in its own process. All methods may be called from several threads at once. Exceptions: reaction kRetry,
/// kBackOff or isRetryableError true = again later. HandBack from nextStep, plan, revert or cleanUp gives the plan to
/// another node, from the same cursor; when no node is left that could plan it, it fails, and so does the task.
class TaskType {
 public:
  virtual ~TaskType() = default;
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
  [[nodiscard]] virtual const std::string& version() const noexcept = 0;
  /// Where it comes from, for messages: a file path, or "built in".
  [[nodiscard]] virtual const std::string& origin() const noexcept = 0;
  [[nodiscard]] virtual TaskTypeOptions options() const noexcept = 0;

  /// Checks a task meta without running anything; throws kInvalidArgument with what is wrong and where.
  virtual void validate(const std::string& meta) = 0;
  /// Returns the step that follows `after` (kStepInit: the first), or kStepDone.
  virtual proto::Step nextStep(const runtime::CancelToken& token, const proto::Task& task, proto::Step after) = 0;
  /// Returns the next batch of subtasks of `step` from `cursor` (empty: from the beginning). Must give the same answer
  /// for the same cursor.
  virtual PlannedBatch plan(
      PlanContext& context,
      const proto::Task& task,
      proto::Step step,
      const std::string& cursor,
      const PlanLimits& limits
  ) = 0;
  /// Undoes what the task did outside of its rows, after all of them are at rest. May be called again, also while an
  /// earlier call goes on elsewhere on a node that was thought dead: must be idempotent (design rule 19).
  virtual void revert(const runtime::CancelToken& token, const proto::Task& task) = 0;
  /// True if cleanUp does anything; asked when a step is planned.
  [[nodiscard]] virtual bool hasCleanUp() const noexcept { return false; }
  /// Removes what an ended task (succeed or reverted, see its state) left behind outside of its rows, such as files
  /// between steps. On any node that offers the type; before the task goes to history. Called again as revert is.
  virtual void cleanUp(const runtime::CancelToken& /*token*/, const proto::Task& /*task*/) {}
  /// Makes the step executor for the task's present step. Its error is fatal for the task.
  virtual std::unique_ptr<StepExecutor> createStepExecutor(const proto::Task& task) = 0;
  /// True if this subtask may run again after a run that ended without a result. Gets the whole row: a type may decide
  /// by the meta.
  [[nodiscard]] virtual bool isIdempotent(const proto::Subtask& subtask) = 0;
  [[nodiscard]] virtual bool isRetryableError(const Error& error) = 0;
};

}  // namespace disttask::plugin
