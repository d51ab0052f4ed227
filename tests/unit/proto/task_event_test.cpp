#include "disttask/proto/task_event.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>
#include <string>

using namespace disttask::proto;

namespace {

std::string listed(TaskStates states) {
  std::string text;
  for (int i = 0; i < kNumTaskStates; ++i) {
    const auto state = static_cast<TaskState>(i);
    if (states.contains(state)) text.append(text.empty() ? "" : ", ").append(toString(state));
  }
  return text;
}

/// The table as the page has it.
std::string taskTable() {
  std::string text = "| event | by | from | to |\n| --- | --- | --- | --- |\n";
  for (const auto& each : kTaskTransitions) {
    text.append("| ").append(toString(each.event)).append(" | ").append(toString(each.actor));
    text.append(" | ").append(listed(each.from)).append(" | ").append(listed(each.to)).append(" |\n");
  }
  return text;
}

std::string subtaskTable() {
  std::string text = "| from | to | by |\n| --- | --- | --- |\n";
  for (const auto& each : kSubtaskTransitions) {
    text.append("| ").append(toString(each.from)).append(" | ").append(toString(each.to));
    text.append(" | ").append(each.who).append(" |\n");
  }
  return text;
}

std::string readPage() {
  std::ifstream file(DISTTASK_STATE_MACHINES_PAGE);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("docs/state-machines.md shows the tables that the code works by", "[proto][task_event]") {
  const auto page = readPage();
  REQUIRE_FALSE(page.empty());
  CHECK_THAT(page, Catch::Matchers::Contains("<!-- task transitions -->\n" + taskTable() + "\n"));
  CHECK_THAT(page, Catch::Matchers::Contains("<!-- subtask transitions -->\n" + subtaskTable() + "\n"));
}

TEST_CASE("Each event leads to one state, but for the end of a modification", "[proto][task_event]") {
  for (const auto& each : kTaskTransitions) {
    CAPTURE(toString(each.event));
    CHECK_FALSE(toString(each.event).empty());
    CHECK(toString(each.event) != "unknown");
    CHECK(each.to.only().has_value() == (each.event != TaskEvent::kModified));
    CHECK_FALSE(each.from == TaskStates());
  }
  // What one can modify is what it goes back to.
  CHECK(transitionOf(TaskEvent::kModified).to == transitionOf(TaskEvent::kModify).from);
}

TEST_CASE("The owner has a next thing to do in each state that is not an end or a person's", "[proto][task_event]") {
  const auto led = statesOf(TaskActor::kOwner);
  for (int i = 0; i < kNumTaskStates; ++i) {
    const auto state = static_cast<TaskState>(i);
    const bool is_persons = state == TaskState::kPaused || state == TaskState::kAwaitingResolution;
    CAPTURE(toString(state));
    CHECK(led.contains(state) == (!isDone(state) && !is_persons));
    if (is_persons) CHECK(statesOf(TaskActor::kSubmitter).contains(state));
  }
}

TEST_CASE("From where a person brought a task the owner leads it on", "[proto][task_event]") {
  CHECK(ledFrom(TaskState::kPausing) == TaskStates{TaskState::kPausing, TaskState::kPaused});
  CHECK(
      ledFrom(TaskState::kCancelling) == TaskStates{TaskState::kCancelling, TaskState::kReverting, TaskState::kReverted}
  );
  CHECK_FALSE(ledFrom(TaskState::kResuming).contains(TaskState::kPaused));
  CHECK(ledFrom(TaskState::kResuming).contains(TaskState::kSucceed));
}
