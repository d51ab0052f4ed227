#pragma once
#include "disttask/executor/node_services.hpp"
#include "disttask/executor/task_executor.hpp"
#include "disttask/plugin/task_type.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace disttask::executor {

/// What a task executor gets from the Manager that makes it (DXF's context argument, and the node's services). The node
/// outlives the executor.
struct ExecutorContext {
  runtime::CancelToken token;  ///< ends with the Manager
  NodeServices& node;
  plugin::TaskTypeOptions options;
};

/// Makes the task executor of one task. An exception is fatal for the task.
using TaskExecutorFactory = std::function<std::unique_ptr<TaskExecutor>(
    const ExecutorContext& context, const proto::ExecId& exec_id, const proto::Task& task, storage::TaskTable& table
)>;

/// Changes one option of a task type while it is registered.
using TaskTypeOption = std::function<void(plugin::TaskTypeOptions&)>;
/// Retries of one subtask after retryable errors; then it fails with the last one.
[[nodiscard]] TaskTypeOption withRetryLimit(std::int32_t limit);
/// Waits between those.
[[nodiscard]] TaskTypeOption withBackoff(const runtime::BackoffPolicy& policy);
/// Subtasks at a time of one task on one node: by default, and at most when a submitter asks (0 = as many as the node
/// has slots; no limit).
[[nodiscard]] TaskTypeOption withParallelSubtasks(std::int32_t by_default, std::int32_t at_most);

/// A registered type.
struct RegisteredTaskType {
  TaskExecutorFactory factory;
  plugin::TaskTypeOptions options;
  std::string origin;  ///< where it was registered, for messages
};

/// The task types that this process can run. Owned by the composition root. Any thread.
class TaskExecutorRegistry {
 public:
  /// Registers; throws kAlreadyExists that names both origins when the type is taken.
  void add(const std::string& type, RegisteredTaskType entry);
  [[nodiscard]] std::optional<RegisteredTaskType> find(const std::string& type) const;
  [[nodiscard]] std::vector<std::string> types() const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, RegisteredTaskType> types_;
};

/// Registers a plugin's task type: its tasks run through BaseTaskExecutor. The registry shares the type.
void registerPluginType(TaskExecutorRegistry& registry, const std::shared_ptr<plugin::TaskType>& type);

/// Returns the registry of this process that the three functions below act on.
[[nodiscard]] TaskExecutorRegistry& defaultTaskExecutorRegistry();
/// Registers in the default registry (DXF's RegisterTaskType). The place of the call is the origin that messages name.
void registerTaskType(
    const std::string& type,
    TaskExecutorFactory factory,
    const std::vector<TaskTypeOption>& options = {},
    const char* file = __builtin_FILE(),
    int line = __builtin_LINE()
);
/// Returns the factory of a type in the default registry; empty for an unknown type (DXF's GetTaskExecutorFactory).
[[nodiscard]] TaskExecutorFactory getTaskExecutorFactory(const std::string& type);
/// Empties the default registry; for tests (DXF's ClearTaskExecutors).
void clearTaskExecutors();

}  // namespace disttask::executor
