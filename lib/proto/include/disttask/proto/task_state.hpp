#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace disttask::proto {

/// States of a task row (contract section 3.5); stored by text.
enum class TaskState : std::uint8_t {
  kPending,
  kRunning,
  kSucceed,
  kFailed,
  kReverting,
  kAwaitingResolution,
  kReverted,
  kCancelling,
  kPausing,
  kPaused,
  kResuming,
  kModifying,
};
inline constexpr int kNumTaskStates = 12;

/// Returns the stored text, such as "awaiting-resolution".
[[nodiscard]] std::string_view toString(TaskState state) noexcept;
/// Returns the state of a stored text, or nothing for a text we do not know.
[[nodiscard]] std::optional<TaskState> parseTaskState(std::string_view text) noexcept;
/// True for succeed, reverted and failed: the row does not change any more.
[[nodiscard]] constexpr bool isDone(TaskState state) noexcept {
  return state == TaskState::kSucceed || state == TaskState::kReverted || state == TaskState::kFailed;
}
/// True if some event leads a row from `from` to `to`: kTaskTransitions of task_event.hpp.
[[nodiscard]] bool isAllowed(TaskState from, TaskState to) noexcept;

/// States of a subtask row (contract section 3.6); stored by text.
enum class SubtaskState : std::uint8_t { kPending, kRunning, kSucceed, kFailed, kCanceled, kPaused };
inline constexpr int kNumSubtaskStates = 6;

[[nodiscard]] std::string_view toString(SubtaskState state) noexcept;
[[nodiscard]] std::optional<SubtaskState> parseSubtaskState(std::string_view text) noexcept;
/// True for succeed, canceled and failed (paused is not done).
[[nodiscard]] constexpr bool isDone(SubtaskState state) noexcept {
  return state == SubtaskState::kSucceed || state == SubtaskState::kCanceled || state == SubtaskState::kFailed;
}
/// The same for subtasks: kSubtaskTransitions.
[[nodiscard]] bool isAllowed(SubtaskState from, SubtaskState to) noexcept;

}  // namespace disttask::proto
