#include "disttask/proto/node.hpp"
#include "disttask/proto/task_state.hpp"
#include "disttask/proto/transition.hpp"

#include <array>
#include <string_view>

namespace disttask::proto {

namespace {

using T = TaskState;
using S = SubtaskState;

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

template <typename State>
struct Edge {
  State from;
  State to;
};

// Contract 3.5. Beyond its drawing: planning that fails reverts a task that is still pending (contract 5.2), a resolved
// task runs again, and cancelling works from every unfinished state (design rule 20).
constexpr std::array kTaskEdges = {
    Edge<T>{T::kPending, T::kRunning},
    Edge<T>{T::kPending, T::kFailed},
    Edge<T>{T::kPending, T::kReverting},
    Edge<T>{T::kPending, T::kCancelling},
    Edge<T>{T::kPending, T::kPausing},
    Edge<T>{T::kPending, T::kModifying},
    Edge<T>{T::kRunning, T::kSucceed},
    Edge<T>{T::kRunning, T::kReverting},
    Edge<T>{T::kRunning, T::kAwaitingResolution},
    Edge<T>{T::kRunning, T::kCancelling},
    Edge<T>{T::kRunning, T::kPausing},
    Edge<T>{T::kRunning, T::kModifying},
    Edge<T>{T::kReverting, T::kReverted},
    Edge<T>{T::kAwaitingResolution, T::kRunning},
    Edge<T>{T::kAwaitingResolution, T::kReverting},
    Edge<T>{T::kAwaitingResolution, T::kCancelling},
    Edge<T>{T::kCancelling, T::kReverting},
    Edge<T>{T::kPausing, T::kPaused},
    Edge<T>{T::kPausing, T::kCancelling},
    Edge<T>{T::kPaused, T::kResuming},
    Edge<T>{T::kPaused, T::kModifying},
    Edge<T>{T::kPaused, T::kCancelling},
    Edge<T>{T::kResuming, T::kRunning},
    Edge<T>{T::kResuming, T::kCancelling},
    Edge<T>{T::kModifying, T::kPending},
    Edge<T>{T::kModifying, T::kRunning},
    Edge<T>{T::kModifying, T::kPaused},
    Edge<T>{T::kModifying, T::kCancelling},
};

// Contract 3.6.
constexpr std::array kSubtaskEdges = {
    Edge<S>{S::kPending, S::kRunning},
    Edge<S>{S::kPending, S::kFailed},
    Edge<S>{S::kPending, S::kCanceled},
    Edge<S>{S::kPending, S::kPaused},
    Edge<S>{S::kRunning, S::kSucceed},
    Edge<S>{S::kRunning, S::kFailed},
    Edge<S>{S::kRunning, S::kCanceled},
    Edge<S>{S::kRunning, S::kPaused},
    Edge<S>{S::kRunning, S::kPending},
    Edge<S>{S::kPaused, S::kPending},
    Edge<S>{S::kPaused, S::kCanceled},  // a revert takes paused rows along (design rule 11)
};

template <typename State>
bool hasEdge(const auto& edges, State from, State to) noexcept {
  for (const auto& edge : edges) {
    if (edge.from == from && edge.to == to) return true;
  }
  return false;
}

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
  return hasEdge(kTaskEdges, from, to);
}

std::string_view toString(SubtaskState state) noexcept {
  return textOf(kSubtaskStateTexts, state);
}
std::optional<SubtaskState> parseSubtaskState(std::string_view text) noexcept {
  return parseState<SubtaskState>(kSubtaskStateTexts, text);
}
bool isAllowed(SubtaskState from, SubtaskState to) noexcept {
  return hasEdge(kSubtaskEdges, from, to);
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
