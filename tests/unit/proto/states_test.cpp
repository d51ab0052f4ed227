#include "disttask/proto/node.hpp"
#include "disttask/proto/step.hpp"
#include "disttask/proto/task_event.hpp"
#include "disttask/proto/task_state.hpp"
#include "disttask/proto/transition.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace disttask::proto;

static TaskState taskState(int i) {
  return static_cast<TaskState>(i);
}
static SubtaskState subtaskState(int i) {
  return static_cast<SubtaskState>(i);
}

TEST_CASE("Task states have the texts of the contract and read back", "[proto][task_state]") {
  std::set<std::string_view> texts;
  for (int i = 0; i < kNumTaskStates; ++i) {
    const auto text = toString(taskState(i));
    texts.insert(text);
    CHECK(parseTaskState(text) == taskState(i));
  }
  CHECK(
      texts ==
      std::set<std::string_view>{
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
          "modifying"}
  );
  CHECK_FALSE(parseTaskState("prepared"));
  CHECK_FALSE(parseTaskState("Pending"));
  CHECK_FALSE(parseTaskState(""));
}

TEST_CASE("Subtask states have the texts of the contract and read back", "[proto][subtask_state]") {
  std::set<std::string_view> texts;
  for (int i = 0; i < kNumSubtaskStates; ++i) {
    const auto text = toString(subtaskState(i));
    texts.insert(text);
    CHECK(parseSubtaskState(text) == subtaskState(i));
  }
  CHECK(texts == std::set<std::string_view>{"pending", "running", "succeed", "failed", "canceled", "paused"});
  CHECK_FALSE(parseSubtaskState("cancelled"));
}

TEST_CASE("Nothing leaves a done state and every other state can end", "[proto][task_state]") {
  for (int from = 0; from < kNumTaskStates; ++from) {
    std::set<int> reached{from};
    for (bool grown = true; grown;) {
      grown = false;
      for (int a = 0; a < kNumTaskStates; ++a) {
        for (int b = 0; b < kNumTaskStates; ++b) {
          if (reached.contains(a) && isAllowed(taskState(a), taskState(b))) grown = reached.insert(b).second || grown;
        }
      }
    }
    CAPTURE(toString(taskState(from)));
    if (isDone(taskState(from))) {
      CHECK(reached.size() == 1);
    } else {
      CHECK(
          (reached.contains(static_cast<int>(TaskState::kSucceed)) ||
           reached.contains(static_cast<int>(TaskState::kReverted)))
      );
    }
    // A running task enters its next step; no other event leaves a state as it is.
    CHECK(isAllowed(taskState(from), taskState(from)) == (taskState(from) == TaskState::kRunning));
  }
}

TEST_CASE("Task states go the ways of the contract", "[proto][task_state]") {
  CHECK(isAllowed(TaskState::kPending, TaskState::kRunning));
  CHECK(isAllowed(TaskState::kPending, TaskState::kFailed));
  CHECK(isAllowed(TaskState::kRunning, TaskState::kSucceed));
  CHECK(isAllowed(TaskState::kRunning, TaskState::kReverting));
  CHECK(isAllowed(TaskState::kReverting, TaskState::kReverted));
  CHECK(isAllowed(TaskState::kModifying, TaskState::kPaused));
  CHECK_FALSE(isAllowed(TaskState::kPending, TaskState::kSucceed));
  CHECK_FALSE(isAllowed(TaskState::kRunning, TaskState::kFailed));
  CHECK_FALSE(isAllowed(TaskState::kRunning, TaskState::kPending));
  CHECK_FALSE(isAllowed(TaskState::kReverting, TaskState::kRunning));
  CHECK_FALSE(isAllowed(TaskState::kReverting, TaskState::kCancelling));
}

TEST_CASE(
    "A task can be cancelled from every state in which it is neither done nor on its way back", "[proto][task_state]"
) {
  for (int i = 0; i < kNumTaskStates; ++i) {
    const auto from = taskState(i);
    const bool expected = !isDone(from) && from != TaskState::kReverting && from != TaskState::kCancelling;
    CAPTURE(toString(from));
    CHECK(isAllowed(from, TaskState::kCancelling) == expected);
  }
}

TEST_CASE("Subtask states go the ways of the contract", "[proto][subtask_state]") {
  using S = SubtaskState;
  const std::set<std::pair<S, S>> expected = {
      {S::kPending, S::kRunning},
      {S::kPending, S::kFailed},
      {S::kPending, S::kCanceled},
      {S::kPending, S::kPaused},
      {S::kRunning, S::kSucceed},
      {S::kRunning, S::kFailed},
      {S::kRunning, S::kCanceled},
      {S::kRunning, S::kPaused},
      {S::kRunning, S::kPending},
      {S::kPaused, S::kPending},
      {S::kPaused, S::kCanceled},
      {S::kFailed, S::kPending},
      {S::kFailed, S::kSucceed},
      {S::kCanceled, S::kPending},
      {S::kCanceled, S::kSucceed},
  };
  for (int a = 0; a < kNumSubtaskStates; ++a) {
    for (int b = 0; b < kNumSubtaskStates; ++b) {
      CAPTURE(toString(subtaskState(a)), toString(subtaskState(b)));
      CHECK(isAllowed(subtaskState(a), subtaskState(b)) == expected.contains({subtaskState(a), subtaskState(b)}));
    }
    CHECK(isDone(subtaskState(a)) == (a >= 2 && a <= 4));
  }
}

TEST_CASE("Wanted states and transition outcomes have texts", "[proto]") {
  CHECK(toString(WantedState::kNormal) == "normal");
  CHECK(toString(WantedState::kCordoned) == "cordoned");
  CHECK(toString(WantedState::kDraining) == "draining");
  CHECK(toString(TransitionOutcome::kApplied) == "applied");
  CHECK(toString(TransitionOutcome::kLost) == "lost");
  CHECK(toString(TransitionOutcome::kMissing) == "missing");
}

TEST_CASE("The steps before the first and after the last are frozen", "[proto][step]") {
  CHECK(kStepInit.value() == -1);
  CHECK(kStepDone.value() == -2);
}
