#pragma once
#include "disttask/proto/task.hpp"
#include "disttask/proto/task_event.hpp"
#include "disttask/storage/plan_table.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace disttask::scheduler {

/// The one next thing that the owner does with a task.
enum class TaskAction : std::uint8_t {
  kNone,              ///< work goes on, or the state is not the scheduler's
  kWait,              ///< nothing can be done for a reason that people want to know
  kCreatePlan,        ///< ask a node which step follows and for its subtasks
  kCreateRevertPlan,  ///< ask a node to run the type's revert hook
  kAssignPlan,        ///< the planner is gone: give the plan to another node
  kBegin,             ///< pending → running, for a task whose type has no step for it at all
  kSucceed,           ///< running → succeed
  kRevert,            ///< → reverting with `error`
  kAwaitResolution,   ///< running → awaiting-resolution with `error`
  kPauseSubtasks,     ///< pause what a pausing task has not started
  kPaused,            ///< pausing → paused, when no row of the step is active
  kResumeSubtasks,    ///< turn paused rows to pending: the task resumes, or a node paused them too late
  kResumed,           ///< resuming → running, when no row of the step is paused
  kModify,            ///< apply what modify_params asks, then modifying → the state before
  kCancelSubtasks,    ///< cancel what a reverting task has not started
  kReverted,          ///< reverting → reverted, when no row of any step is active
};
[[nodiscard]] std::string_view toString(TaskAction action) noexcept;
/// Returns the event by which the action changes the task's state; nothing for those that leave it.
[[nodiscard]] std::optional<proto::TaskEvent> eventOf(TaskAction action) noexcept;

/// Why an unfinished task does not begin its next step.
inline constexpr std::string_view kNoPlaceText = "the tasks at once are all of higher rank";
inline constexpr std::string_view kNoSlotsText = "other tasks have the slots of all nodes that fit it";

/// What the owner knows of a task when it decides. The plans were read before the rows, so that a complete plan means:
/// all its rows were there.
struct TaskView {
  proto::TaskState state = proto::TaskState::kPending;
  proto::Step step = proto::kStepInit;
  bool manual_recovery = false;
  std::vector<storage::Plan> plans;
  storage::SubtaskPresence rows;  ///< of the task's step
  std::string failed_subtask;     ///< error of the first failed subtask, when rows.failed
  bool has_place = true;          ///< it is among the tasks at once; false: nothing new is begun
  std::string_view why_no_place = kNoPlaceText;
  bool has_planner = true;       ///< some node could plan a step of it
  bool has_reverter = true;      ///< some node could run its revert hook
  bool cleans_up = false;        ///< its type has a clean-up hook
  bool is_planner_alive = true;  ///< of the one plan that is open (findOpenPlan)
  std::string why_no_planner;
};

struct TaskDecision {
  TaskAction action = TaskAction::kNone;
  std::string error{};  ///< kRevert, kAwaitResolution: what the task's error column gets; kWait: the reason; kReverted:
                        ///< what the revert hook failed with
  std::optional<storage::Plan> plan{};  ///< kAssignPlan: which one
};

/// Returns the plan whose planner has something to do now: the one of the current step, else the one that follows it,
/// else the revert plan.
[[nodiscard]] std::optional<storage::Plan> findOpenPlan(const TaskView& view);
/// Decides by state, step, plans and rows only (contract 5.2, design rules 11, 20). Pure.
[[nodiscard]] TaskDecision decide(const TaskView& view);

/// The text by which a user's cancellation is recognised in a task's error (contract 3.1).
inline constexpr std::string_view kCancelledByUser = "cancelled by user";

}  // namespace disttask::scheduler
