#include "commands/commands.hpp"
#include <catch2/catch.hpp>

using namespace disttask;

TEST_CASE("A task counts as cancelled by the very text that a cancel writes, not by one of a plugin that quotes it") {
  const auto outcome = [](const std::string& error) {
    proto::Task task;
    task.state = proto::TaskState::kReverted;
    task.error = error;
    return std::string(ctl::outcomeOf(task));
  };
  CHECK(outcome("cancelled by user") == "cancelled");
  CHECK(outcome("subtask 3 of step 1 was cancelled by user root@localhost") == "cancelled");
  CHECK(outcome("upload of /a failed: cancelled by user") == "failed");
  CHECK(outcome("cancelled by user's script") == "failed");
  CHECK(outcome("subtask x of step 1 was cancelled by user root@localhost") == "failed");
  CHECK(outcome("a subtask 3 of step 1 was cancelled by user root@localhost") == "failed");
  CHECK(outcome("") == "failed");
}
