#pragma once
#include "abi_text.hpp"
#include "disttask/plugin/task_type.hpp"

namespace disttask::plugin {

/// Shows a task to a plugin; borrows its texts.
[[nodiscard]] inline disttask_task taskToAbi(const proto::Task& task) noexcept {
  return {sizeof(disttask_task), task.slots, task.id.value(), toAbi(task.key), toAbi(task.type), toAbi(task.meta)};
}
/// Shows a subtask to a plugin; borrows its meta.
[[nodiscard]] inline disttask_subtask subtaskToAbi(const proto::Subtask& subtask) noexcept {
  return {
      sizeof(disttask_subtask),
      subtask.step.value(),
      subtask.id.value(),
      subtask.task_id.value(),
      subtask.ordinal,
      0,
      toAbi(subtask.meta)};
}
[[nodiscard]] inline disttask_resource resourceToAbi(
    const proto::StepResource& resource, std::int32_t parallel_subtasks
) noexcept {
  return {sizeof(disttask_resource), resource.slots, resource.memory_bytes, parallel_subtasks, 0};
}
/// Returns how many runs of one step may overlap on one node; 0 = as many as the node has slots.
[[nodiscard]] inline std::int32_t parallelSubtasksOf(const TaskTypeOptions& options, const proto::Task& task) noexcept {
  const std::int32_t wanted = task.extra.parallel_subtasks.value_or(options.parallel_subtasks);
  const std::int32_t most = options.max_parallel_subtasks;
  if (most > 0 && (wanted <= 0 || wanted > most)) return most;
  return wanted < 0 ? 0 : wanted;
}

}  // namespace disttask::plugin
