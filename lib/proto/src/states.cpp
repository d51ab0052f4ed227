#include "disttask/proto/node.hpp"
#include "disttask/proto/task_event.hpp"
#include "disttask/proto/task_state.hpp"
#include "disttask/proto/transition.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace disttask::proto {

namespace {

constexpr std::array<std::string_view, kNumTaskStates> kTaskStateTexts = {
    "pending",
    "running",
    "succeed",
    "failed",
    "reverting",
    "awaiting-resolution",
    "reverted",
    "cancelling",
    "pausing",
    "paused",
    "resuming",
    "modifying",
};
constexpr std::array<std::string_view, kNumSubtaskStates> kSubtaskStateTexts = {
    "pending",
    "running",
    "succeed",
    "failed",
    "canceled",
    "paused",
};

constexpr std::array<std::string_view, kNumTaskEvents> kTaskEventTexts = {
    "enter-step",
    "begin",
    "succeed",
    "revert",
    "reverted",
    "await-resolution",
    "paused",
    "resumed",
    "modified",
    "refuse",
    "cancel",
    "pause",
    "resume",
    "modify",
    "resolve-retry",
    "resolve-skip",
    "resolve-fail",
};

// The table is looked up by the number of the event.
static_assert([] {
  for (std::size_t i = 0; i < kTaskTransitions.size(); ++i) {
    if (static_cast<std::size_t>(kTaskTransitions[i].event) != i) return false;
  }
  return true;
}());

template <typename State>
std::string_view textOf(const auto& texts, State state) noexcept {
  const auto index = static_cast<std::size_t>(state);
  return index < texts.size() ? texts[index] : "unknown";
}

template <typename State>
std::optional<State> parseState(const auto& texts, std::string_view text) noexcept {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i] == text) return static_cast<State>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view toString(TaskState state) noexcept {
  return textOf(kTaskStateTexts, state);
}
std::optional<TaskState> parseTaskState(std::string_view text) noexcept {
  return parseState<TaskState>(kTaskStateTexts, text);
}
bool isAllowed(TaskState from, TaskState to) noexcept {
  return std::any_of(kTaskTransitions.begin(), kTaskTransitions.end(), [&](const auto& each) {
    return isAllowed(from, each.event, to);
  });
}
std::string_view toString(TaskEvent event) noexcept {
  return textOf(kTaskEventTexts, event);
}
std::string_view toString(TaskActor actor) noexcept {
  switch (actor) {
    case TaskActor::kSubmitter:
      return "submitter";
    case TaskActor::kOwner:
      return "owner";
    case TaskActor::kPlanner:
      return "planner";
    case TaskActor::kDxf:
      return "dxf";
  }
  return "unknown";
}

std::string_view toString(SubtaskState state) noexcept {
  return textOf(kSubtaskStateTexts, state);
}
std::optional<SubtaskState> parseSubtaskState(std::string_view text) noexcept {
  return parseState<SubtaskState>(kSubtaskStateTexts, text);
}
bool isAllowed(SubtaskState from, SubtaskState to) noexcept {
  return std::any_of(kSubtaskTransitions.begin(), kSubtaskTransitions.end(), [&](const auto& each) {
    return each.from == from && each.to == to;
  });
}

std::string_view toString(WantedState state) noexcept {
  switch (state) {
    case WantedState::kNormal:
      return "normal";
    case WantedState::kCordoned:
      return "cordoned";
    case WantedState::kDraining:
      return "draining";
  }
  return "unknown";
}

WantedState parseWantedState(std::string_view text) noexcept {
  for (const auto state : {WantedState::kCordoned, WantedState::kDraining}) {
    if (text == toString(state)) return state;
  }
  return WantedState::kNormal;
}

std::string_view toString(TransitionOutcome outcome) noexcept {
  switch (outcome) {
    case TransitionOutcome::kApplied:
      return "applied";
    case TransitionOutcome::kLost:
      return "lost";
    case TransitionOutcome::kMissing:
      return "missing";
  }
  return "unknown";
}

}  // namespace disttask::proto
