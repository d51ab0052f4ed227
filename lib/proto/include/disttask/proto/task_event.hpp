#pragma once
#include "disttask/proto/task_state.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace disttask::proto {

/// What changes a task's state. Each is one conditional UPDATE of its row.
enum class TaskEvent : std::uint8_t {
  kEnterStep,        ///< its planner writes the first batch of a step
  kBegin,            ///< its type has no step for it
  kSucceed,          ///< no further step
  kRevert,           ///< a subtask or a plan failed for good, or the task is being cancelled
  kReverted,         ///< nothing of it is active, and the revert hook has run
  kAwaitResolution,  ///< a subtask failed, and the submitter wanted to be asked
  kPaused,           ///< nothing of it is active
  kResumed,          ///< none of its rows is paused
  kModified,         ///< the change is in its columns and rows; back to the state before
  kRefuse,           ///< DXF's scheduler does not know its type (ours lets it wait, design rule 6)
  kCancel,
  kPause,
  kResume,
  kModify,
  kResolveRetry,  ///< its failed subtasks run again
  kResolveSkip,   ///< its failed subtasks count as succeeded
  kResolveFail,   ///< it reverts
};
inline constexpr int kNumTaskEvents = 17;

/// Who may bring an event about.
enum class TaskActor : std::uint8_t {
  kSubmitter,  ///< whoever talks to the store as a client: disttaskctl, an embedder
  kOwner,      ///< the node that holds the scheduler role, fenced by its life (design rule 19)
  kPlanner,    ///< the node that a plan names, fenced by the plan's token (design rule 20)
  kDxf,        ///< DXF's own scheduler, in schema `mysql` only
};

/// A set of task states. A value; all of it is constexpr.
class TaskStates {
 public:
  constexpr TaskStates() = default;
  constexpr TaskStates(std::initializer_list<TaskState> states) {
    for (const auto state : states) add(state);
  }
  constexpr void add(TaskState state) { bits_ |= 1U << static_cast<unsigned>(state); }
  constexpr void add(TaskStates others) { bits_ |= others.bits_; }
  [[nodiscard]] constexpr bool contains(TaskState state) const {
    return ((bits_ >> static_cast<unsigned>(state)) & 1U) != 0;
  }
  /// The only state of it; nothing when there are none or several.
  [[nodiscard]] constexpr std::optional<TaskState> only() const {
    std::optional<TaskState> found;
    for (int i = 0; i < kNumTaskStates; ++i) {
      if (!contains(static_cast<TaskState>(i))) continue;
      if (found) return std::nullopt;
      found = static_cast<TaskState>(i);
    }
    return found;
  }
  friend constexpr bool operator==(TaskStates, TaskStates) = default;

 private:
  std::uint32_t bits_ = 0;
};

/// Who may do what in which states, and where it leads. `to` has one state, but for kModified, which goes back to the
/// state that kModify left.
struct TaskTransition {
  TaskEvent event{};
  TaskActor actor{};
  TaskStates from;
  TaskStates to;
};

/// The task state machine (contract section 3.5, with what our rules add): the only list of it. What decides, and the
/// texts of the statements that change a task's state, are made from it; docs/state-machines.md shows it.
///
/// Beyond the contract: planning that fails reverts a task that is still pending (contract 5.2), a person can resolve a
/// task in three ways, and cancelling works from every state that is neither an end nor on the way there (design rule
/// 20).
inline constexpr std::array<TaskTransition, kNumTaskEvents> kTaskTransitions = {{
    {TaskEvent::kEnterStep, TaskActor::kPlanner, {TaskState::kPending, TaskState::kRunning}, {TaskState::kRunning}},
    {TaskEvent::kBegin, TaskActor::kOwner, {TaskState::kPending}, {TaskState::kRunning}},
    {TaskEvent::kSucceed, TaskActor::kOwner, {TaskState::kRunning}, {TaskState::kSucceed}},
    {TaskEvent::kRevert,
     TaskActor::kOwner,
     {TaskState::kPending, TaskState::kRunning, TaskState::kCancelling},
     {TaskState::kReverting}},
    {TaskEvent::kReverted, TaskActor::kOwner, {TaskState::kReverting}, {TaskState::kReverted}},
    {TaskEvent::kAwaitResolution, TaskActor::kOwner, {TaskState::kRunning}, {TaskState::kAwaitingResolution}},
    {TaskEvent::kPaused, TaskActor::kOwner, {TaskState::kPausing}, {TaskState::kPaused}},
    {TaskEvent::kResumed, TaskActor::kOwner, {TaskState::kResuming}, {TaskState::kRunning}},
    {TaskEvent::kModified,
     TaskActor::kOwner,
     {TaskState::kModifying},
     {TaskState::kPending, TaskState::kRunning, TaskState::kPaused}},
    {TaskEvent::kRefuse, TaskActor::kDxf, {TaskState::kPending}, {TaskState::kFailed}},
    {TaskEvent::kCancel,
     TaskActor::kSubmitter,
     {TaskState::kPending,
      TaskState::kRunning,
      TaskState::kAwaitingResolution,
      TaskState::kPausing,
      TaskState::kPaused,
      TaskState::kResuming,
      TaskState::kModifying},
     {TaskState::kCancelling}},
    {TaskEvent::kPause, TaskActor::kSubmitter, {TaskState::kPending, TaskState::kRunning}, {TaskState::kPausing}},
    {TaskEvent::kResume, TaskActor::kSubmitter, {TaskState::kPaused}, {TaskState::kResuming}},
    {TaskEvent::kModify,
     TaskActor::kSubmitter,
     {TaskState::kPending, TaskState::kRunning, TaskState::kPaused},
     {TaskState::kModifying}},
    {TaskEvent::kResolveRetry, TaskActor::kSubmitter, {TaskState::kAwaitingResolution}, {TaskState::kRunning}},
    {TaskEvent::kResolveSkip, TaskActor::kSubmitter, {TaskState::kAwaitingResolution}, {TaskState::kRunning}},
    {TaskEvent::kResolveFail, TaskActor::kSubmitter, {TaskState::kAwaitingResolution}, {TaskState::kReverting}},
}};

/// Returns the row of the table.
[[nodiscard]] constexpr const TaskTransition& transitionOf(TaskEvent event) noexcept {
  return kTaskTransitions[static_cast<std::size_t>(event)];
}
[[nodiscard]] constexpr bool isAllowed(TaskState from, TaskEvent event) noexcept {
  return transitionOf(event).from.contains(from);
}
[[nodiscard]] constexpr bool isAllowed(TaskState from, TaskEvent event, TaskState to) noexcept {
  return isAllowed(from, event) && transitionOf(event).to.contains(to);
}
/// Returns the one state that the event leads to; not for kModified, which has three.
[[nodiscard]] constexpr TaskState targetOf(TaskEvent event) {
  return transitionOf(event).to.only().value();
}
/// Returns the states in which the next thing may be this actor's.
[[nodiscard]] constexpr TaskStates statesOf(TaskActor actor) noexcept {
  TaskStates states;
  for (const auto& each : kTaskTransitions) {
    if (each.actor == actor) states.add(each.from);
  }
  return states;
}
/// Returns `state` and all states to which the owner and planners may have led a task from there: where it may be when
/// the answer to whoever brought it to `state` was lost.
[[nodiscard]] constexpr TaskStates ledFrom(TaskState state) noexcept {
  TaskStates reached{state};
  for (int round = 0; round < kNumTaskStates; ++round) {
    for (const auto& each : kTaskTransitions) {
      if (each.actor != TaskActor::kOwner && each.actor != TaskActor::kPlanner) continue;
      for (int i = 0; i < kNumTaskStates; ++i) {
        const auto from = static_cast<TaskState>(i);
        if (each.from.contains(from) && reached.contains(from)) reached.add(each.to);
      }
    }
  }
  return reached;
}

/// Returns a name such as "resolve-retry", as events and logs have it.
[[nodiscard]] std::string_view toString(TaskEvent event) noexcept;
/// Returns "submitter", "owner", "planner" or "dxf".
[[nodiscard]] std::string_view toString(TaskActor actor) noexcept;

/// A step of the subtask state machine and who takes it (contract section 3.6; the states in TaskState's header).
struct SubtaskTransition {
  SubtaskState from;
  SubtaskState to;
  std::string_view who;  ///< "node", "owner" or "submitter", and when
};
inline constexpr std::array kSubtaskTransitions = {
    SubtaskTransition{SubtaskState::kPending, SubtaskState::kRunning, "node: a start, with a fresh run token"},
    SubtaskTransition{SubtaskState::kPending, SubtaskState::kFailed, "node or owner: nobody can run it"},
    SubtaskTransition{
        SubtaskState::kPending, SubtaskState::kCanceled, "owner: the task reverts; submitter: cancel-subtask"},
    SubtaskTransition{SubtaskState::kPending, SubtaskState::kPaused, "owner: the task pauses"},
    SubtaskTransition{SubtaskState::kRunning, SubtaskState::kSucceed, "node: it has a result"},
    SubtaskTransition{SubtaskState::kRunning, SubtaskState::kFailed, "node: its run failed; owner: its node died"},
    SubtaskTransition{
        SubtaskState::kRunning, SubtaskState::kCanceled, "node: its run has returned; owner: its node died"},
    SubtaskTransition{
        SubtaskState::kRunning, SubtaskState::kPaused, "node: its run has returned; owner: its node died"},
    SubtaskTransition{
        SubtaskState::kRunning, SubtaskState::kPending, "node: given back, or again later; owner: its node died"},
    SubtaskTransition{SubtaskState::kPaused, SubtaskState::kPending, "owner: the task resumes or runs"},
    SubtaskTransition{
        SubtaskState::kPaused, SubtaskState::kCanceled, "owner: the task reverts; submitter: cancel-subtask"},
    SubtaskTransition{SubtaskState::kFailed, SubtaskState::kPending, "submitter: resolve-retry"},
    SubtaskTransition{SubtaskState::kFailed, SubtaskState::kSucceed, "submitter: resolve-skip"},
    SubtaskTransition{SubtaskState::kCanceled, SubtaskState::kPending, "submitter: resolve-retry"},
    SubtaskTransition{SubtaskState::kCanceled, SubtaskState::kSucceed, "submitter: resolve-skip"},
};

}  // namespace disttask::proto
