#pragma once
#include "disttask/executor/extension.hpp"
#include "disttask/executor/registry.hpp"
#include "disttask/executor/task_executor.hpp"
#include "disttask/storage/task_table.hpp"

#include <memory>

namespace disttask::executor {

/// The task executor that every task type uses (DXF's BaseTaskExecutor): a type derives from it and implements
/// Extension.
///
/// Threads: run's thread coordinates: it reads the task row, makes and cleans step executors, keeps a queue of pending
/// subtasks, and does the checks of contract 4.8. The subtasks run on threads of its own, as many as run at a time; run
/// joins them before it returns. The task table and the node must outlive it.
class BaseTaskExecutor : public TaskExecutor, public Extension {
 public:
  BaseTaskExecutor(
      const ExecutorContext& context, const proto::ExecId& exec_id, const proto::Task& task, storage::TaskTable& table
  );
  /// run must have returned: a derived class calls close in its own destructor, before its members go.
  ~BaseTaskExecutor() override;

  /// Returns the token of this task executor: cancelled by cancel, close, and with the Manager.
  [[nodiscard]] runtime::CancelToken ctx() const noexcept;

  /// Does nothing; for types to override.
  void init(const runtime::CancelToken& manager) override;
  void run(const proto::StepResource& resource) final;
  [[nodiscard]] proto::TaskBase getTaskBase() const final;
  void cancelRunningSubtask() final;
  void cancel() final;
  void interrupt(runtime::CancelCause cause) final;
  void drain() final;
  void goOn() final;
  [[nodiscard]] std::int64_t appliedModifications() const final;
  std::int32_t recallBorrowed(std::int32_t slots) final;
  [[nodiscard]] TaskActivity activity() const final;
  void nudge() final;
  void close() final;
  [[nodiscard]] bool isRetryableError(const Error& error) override = 0;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace disttask::executor
