#include "disttask/executor/base_task_executor.hpp"

#include "task_run.hpp"

#include <condition_variable>
#include <mutex>

namespace disttask::executor {

struct BaseTaskExecutor::Impl {
  Impl(const ExecutorContext& context_in, const proto::Task& task_in, storage::TaskTable& table_in)
      : context(context_in),
        task(task_in),
        table(table_in),
        source(context_in.token),
        control(context_in.node.clock, task_in, source.token(), context_in.node.modifications) {}

  const ExecutorContext context;
  proto::Task task;  // touched only by run; TaskControl has what others may see
  storage::TaskTable& table;
  runtime::CancelSource source;
  TaskControl control;

  std::mutex mutex;
  std::condition_variable returned;
  bool running = false;  // guarded by mutex

  // Last: it reaches the members above when the Manager vanishes, or cancel is called.
  runtime::CancelCallback on_cancel{source.token(), [this] { control.interrupt(runtime::CancelCause::kClosed); }};
};

BaseTaskExecutor::BaseTaskExecutor(
    const ExecutorContext& context, const proto::ExecId& /*exec_id*/, const proto::Task& task, storage::TaskTable& table
)
    : impl_(std::make_unique<Impl>(context, task, table)) {}

BaseTaskExecutor::~BaseTaskExecutor() {
  close();
}

runtime::CancelToken BaseTaskExecutor::ctx() const noexcept {
  return impl_->source.token();
}

void BaseTaskExecutor::init(const runtime::CancelToken& /*manager*/) {}

void BaseTaskExecutor::run(const proto::StepResource& resource) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->running || impl_->source.token().cancelled() || impl_->control.isInterrupted()) return;
    impl_->running = true;
  }
  TaskRun run(
      {impl_->context.node, impl_->table, *this, impl_->context.options, impl_->control}, impl_->task, resource
  );
  run.run();
  impl_->task = run.task();
  const std::lock_guard lock(impl_->mutex);
  impl_->running = false;
  impl_->returned.notify_all();
}

proto::TaskBase BaseTaskExecutor::getTaskBase() const {
  return impl_->control.task();
}
void BaseTaskExecutor::cancelRunningSubtask() {
  impl_->control.interruptStep(runtime::CancelCause::kCancelSubtask);
}
void BaseTaskExecutor::cancel() {
  impl_->source.cancel(runtime::CancelCause::kClosed);
}
void BaseTaskExecutor::interrupt(runtime::CancelCause cause) {
  impl_->control.interrupt(cause);
}
void BaseTaskExecutor::drain() {
  impl_->control.drain();
}
void BaseTaskExecutor::goOn() {
  impl_->control.goOn();
}
std::int64_t BaseTaskExecutor::appliedModifications() const {
  return impl_->control.appliedModifications();
}
std::int32_t BaseTaskExecutor::recallBorrowed(std::int32_t slots) {
  return impl_->control.recallBorrowed(slots);
}
TaskActivity BaseTaskExecutor::activity() const {
  return impl_->control.activity(impl_->context.node.clock.now());
}
void BaseTaskExecutor::nudge() {
  impl_->control.nudge();
}

void BaseTaskExecutor::close() {
  cancel();
  std::unique_lock lock(impl_->mutex);
  impl_->returned.wait(lock, [this] { return !impl_->running; });
}

}  // namespace disttask::executor
