#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/proto/step.hpp"
#include "disttask/proto/task_state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::proto {

inline constexpr std::int32_t kDefaultPriority = 512;

/// `extra_params` of a task: the contract's keys, and `parallel_subtasks` of ours (unknown keys are kept by nobody and
/// ignored by all).
struct ExtraParams {
  bool manual_recovery = false;
  std::int32_t max_runtime_slots = 0;        ///< 0 = as many as `slots`
  std::vector<std::int32_t> target_steps{};  ///< the steps that `max_runtime_slots` holds for; empty = all
  std::optional<std::int32_t>
      parallel_subtasks{};  ///< what the submitter asks for; 0 = auto; nothing = the type's default
  friend bool operator==(const ExtraParams&, const ExtraParams&) = default;
};
/// Reads the column; text that is not a JSON object of these gives the defaults.
[[nodiscard]] ExtraParams parseExtraParams(std::string_view json) noexcept;
/// Writes it; keys with default values are left out.
[[nodiscard]] std::string toJson(const ExtraParams& params);

/// What `modify_params` asks of a task (contract 3.9): nothing = stays as it is. Meta and priority are ours.
struct TaskModification {
  std::optional<std::int32_t> slots;
  std::optional<std::int32_t> max_nodes;
  std::optional<std::int32_t> priority;
  std::optional<std::string> meta;  ///< JSON
  friend bool operator==(const TaskModification&, const TaskModification&) = default;
};
/// `modify_params` as it stands in the row: the state that the task goes back to, and the change.
struct ModifyParams {
  TaskState prev_state = TaskState::kRunning;
  TaskModification change;
};
/// Reads the column; nothing: it is no such object, or its state is not one that a task can be modified in. Kinds of
/// modification that we do not have are put into `unknown`, and values out of range are left out.
[[nodiscard]] std::optional<ModifyParams> parseModifyParams(std::string_view json, std::string& unknown);
/// Writes it in the contract's form.
[[nodiscard]] std::string toJson(const ModifyParams& params);

/// A task row without its meta and error: what loops read often. Times are seconds since the epoch by the store, 0 =
/// NULL.
struct TaskBase {
  TaskId id;
  std::string key;   ///< unique name that the submitter chose
  std::string type;  ///< task type
  TaskState state = TaskState::kPending;
  Step step = kStepInit;
  std::int32_t priority = kDefaultPriority;  ///< smaller runs first
  std::int32_t slots = 1;                    ///< `concurrency` column: slots that one node gives this task
  std::string target_scope;
  std::int32_t max_nodes = 0;  ///< 0 = no limit
  ExtraParams extra;
  std::int64_t create_time = 0;
};

/// A whole task row.
struct Task : TaskBase {
  std::string meta;
  std::string error;  ///< message text of the error column; empty = none
  std::int64_t start_time = 0;
  std::int64_t state_update_time = 0;
  std::int64_t end_time = 0;
};

/// A task with work on a node: what the Manager picks from (contract 2.1).
struct TaskExecInfo {
  TaskBase task;
  std::int32_t subtask_slots = 0;  ///< the largest `concurrency` of its pending and running subtasks on that node
};

/// Compares ranks: true if `a` outranks `b` (priority, then create time, then id; contract 3.7).
[[nodiscard]] bool outranks(const TaskBase& a, const TaskBase& b) noexcept;

}  // namespace disttask::proto
