#include "disttask/executor/registry.hpp"

#include "disttask/executor/base_task_executor.hpp"

namespace disttask::executor {

namespace {

/// Runs the tasks of a plugin's type.
class PluginTaskExecutor final : public BaseTaskExecutor {
 public:
  PluginTaskExecutor(
      const ExecutorContext& context,
      const proto::ExecId& exec_id,
      const proto::Task& task,
      storage::TaskTable& table,
      std::shared_ptr<plugin::TaskType> type
  )
      : BaseTaskExecutor(context, exec_id, task, table), type_(std::move(type)) {}
  ~PluginTaskExecutor() override { close(); }

  bool isIdempotent(const proto::Subtask& subtask) override { return type_->isIdempotent(subtask); }
  std::unique_ptr<plugin::StepExecutor> getStepExecutor(const proto::Task& task) override {
    return type_->createStepExecutor(task);
  }
  bool isRetryableError(const Error& error) override { return type_->isRetryableError(error); }

 private:
  const std::shared_ptr<plugin::TaskType> type_;
};

}  // namespace

TaskTypeOption withRetryLimit(std::int32_t limit) {
  return [limit](plugin::TaskTypeOptions& options) { options.retry_limit = limit; };
}

TaskTypeOption withBackoff(const runtime::BackoffPolicy& policy) {
  return [policy](plugin::TaskTypeOptions& options) { options.backoff = policy; };
}

TaskTypeOption withParallelSubtasks(std::int32_t by_default, std::int32_t at_most) {
  return [by_default, at_most](plugin::TaskTypeOptions& options) {
    options.parallel_subtasks = by_default;
    options.max_parallel_subtasks = at_most;
  };
}

void TaskExecutorRegistry::add(const std::string& type, RegisteredTaskType entry) {
  const std::lock_guard lock(mutex_);
  const auto at = types_.find(type);
  if (at != types_.end()) {
    throw Exception(
        ErrorCode::kAlreadyExists,
        "task type '" + type + "' of " + entry.origin + " is already registered by " + at->second.origin
    );
  }
  types_.emplace(type, std::move(entry));
}

std::optional<RegisteredTaskType> TaskExecutorRegistry::find(const std::string& type) const {
  const std::lock_guard lock(mutex_);
  const auto at = types_.find(type);
  return at == types_.end() ? std::nullopt : std::optional(at->second);
}

std::vector<std::string> TaskExecutorRegistry::types() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, entry] : types_) names.push_back(name);
  return names;
}

void TaskExecutorRegistry::clear() {
  const std::lock_guard lock(mutex_);
  types_.clear();
}

void registerPluginType(TaskExecutorRegistry& registry, const std::shared_ptr<plugin::TaskType>& type) {
  RegisteredTaskType entry;
  entry.options = type->options();
  entry.origin = type->origin();
  entry.factory = [type](
                      const ExecutorContext& context,
                      const proto::ExecId& exec_id,
                      const proto::Task& task,
                      storage::TaskTable& table
                  ) -> std::unique_ptr<TaskExecutor> {
    return std::make_unique<PluginTaskExecutor>(context, exec_id, task, table, type);
  };
  registry.add(type->name(), std::move(entry));
}

TaskExecutorRegistry& defaultTaskExecutorRegistry() {
  static TaskExecutorRegistry registry;
  return registry;
}

void registerTaskType(
    const std::string& type,
    TaskExecutorFactory factory,
    const std::vector<TaskTypeOption>& options,
    const char* file,
    int line
) {
  RegisteredTaskType entry;
  entry.factory = std::move(factory);
  entry.origin = std::string(file) + ":" + std::to_string(line);
  for (const auto& option : options) option(entry.options);
  defaultTaskExecutorRegistry().add(type, std::move(entry));
}

TaskExecutorFactory getTaskExecutorFactory(const std::string& type) {
  const auto entry = defaultTaskExecutorRegistry().find(type);
  return entry ? entry->factory : TaskExecutorFactory();
}

void clearTaskExecutors() {
  defaultTaskExecutorRegistry().clear();
}

}  // namespace disttask::executor
