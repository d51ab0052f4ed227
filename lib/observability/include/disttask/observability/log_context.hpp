#pragma once
#include "disttask/observability/log.hpp"

#include <optional>
#include <span>
#include <vector>

namespace disttask::observability {

/// Fields that each line of this process carries, behind its own: which node it is. Any thread; the last call counts.
void setProcessFields(std::vector<Field> fields);

/// While it lives, each line that its thread writes carries these fields too: what the thread works on (task_id,
/// task_key, type, step, subtask_id). An inner one takes the place of the outer one until it ends; it adds nothing to
/// it. A line that names another task_id or subtask_id itself is about something else and carries none of them. A value
/// that a line gives itself wins. On the stack only; ends on the thread that made it, in the reverse order.
class LogContext {
 public:
  /// `fields` must outlive it; `one` comes after them.
  explicit LogContext(std::span<const Field> fields, std::optional<Field> one = std::nullopt) noexcept;
  LogContext(const LogContext&) = delete;
  LogContext& operator=(const LogContext&) = delete;
  ~LogContext();

  [[nodiscard]] std::span<const Field> fields() const noexcept { return fields_; }
  [[nodiscard]] const std::optional<Field>& one() const noexcept { return one_; }

 private:
  const std::span<const Field> fields_;
  const std::optional<Field> one_;
  const LogContext* const outer_;
};

/// Returns the fields by which lines name a task, and the step that it is in. `Task` is proto::TaskBase, or has its
/// members.
template <typename Task>
[[nodiscard]] std::vector<Field> taskFields(const Task& task) {
  return {{"task_id", task.id}, {"task_key", task.key}, {"type", task.type}, {"step", task.step}};
}

}  // namespace disttask::observability
