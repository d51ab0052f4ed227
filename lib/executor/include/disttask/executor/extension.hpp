#pragma once
#include "disttask/base/error.hpp"
#include "disttask/plugin/step_executor.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"

#include <memory>

namespace disttask::executor {

/// What a task type adds to BaseTaskExecutor (DXF's Extension). Called by the threads of one task executor, possibly
/// several at once.
class Extension {
 public:
  virtual ~Extension() = default;
  /// True if the subtask may run again after a run that ended without a result. Must not throw for a subtask that it
  /// can read; an exception counts as false.
  [[nodiscard]] virtual bool isIdempotent(const proto::Subtask& subtask) = 0;
  /// Makes the step executor for the task's present step. Its exception is fatal for the task: one subtask fails with
  /// that text.
  [[nodiscard]] virtual std::unique_ptr<plugin::StepExecutor> getStepExecutor(const proto::Task& task) = 0;
  /// True if the error is transient: the subtask is tried again within the type's limits.
  [[nodiscard]] virtual bool isRetryableError(const Error& error) = 0;
};

}  // namespace disttask::executor
