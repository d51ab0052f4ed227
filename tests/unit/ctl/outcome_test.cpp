// How tasks and commands end, in words and exit codes.
#include "args.hpp"
#include "run.hpp"

#include "commands/achieved.hpp"
#include "commands/commands.hpp"
#include <catch2/catch.hpp>

#include <sstream>

using namespace disttask;

namespace {

proto::Task endedTask(const std::string& type) {
  proto::Task task;
  task.id = proto::TaskId(7);
  task.type = type;
  task.state = proto::TaskState::kReverted;
  return task;
}

ctl::StepView makeStep(int number, std::int64_t succeeded, std::int64_t canceled, std::int64_t rows_succeeded) {
  ctl::StepView step;
  step.progress.step = proto::Step(number);
  step.progress.plan_complete = true;
  step.progress.counts.succeed = succeeded;
  step.progress.counts.canceled = canceled;
  step.progress.sum.row_count = rows_succeeded;
  step.rows_succeeded = rows_succeeded;
  return step;
}

}  // namespace

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

TEST_CASE("What a task that did not succeed has left done is said in the words of its type") {
  CHECK(
      ctl::achievedText(endedTask("csv_import"), {makeStep(1, 12, 28, 120'000)}) ==
      "12 of 40 chunks of step 1, 120,000 rows\nto go on from there, submit with \"resume_of\": 7"
  );
  CHECK(ctl::achievedText(endedTask("example"), {makeStep(1, 12, 28, 0)}) == "12 of 40 subtasks of step 1");
  CHECK(
      ctl::achievedText(endedTask("example"), {makeStep(1, 1, 0, 1), makeStep(2, 1, 1, 0)}) ==
      "1 of 1 subtask of step 1, 1 row\n1 of 2 subtasks of step 2"
  );
  auto part = makeStep(1, 2, 6, 20'000);
  part.progress.sum.row_count = 25'000;
  CHECK(
      ctl::achievedText(endedTask("sql_batch"), {part}) ==
      "2 of 8 subtasks of step 1, and of others a part: at least 25,000 rows in all, which stay"
  );
  // Rows of a type that does not commit one chunk after the other may be gone with its run.
  CHECK(ctl::achievedText(endedTask("example"), {part}) == "2 of 8 subtasks of step 1, 20,000 rows");
}

TEST_CASE("A task that did not succeed says that nothing was done, too, and that its plan was not complete") {
  CHECK(ctl::achievedText(endedTask("example"), {makeStep(1, 0, 3, 0)}) == "0 of 3 subtasks of step 1");
  CHECK(ctl::achievedText(endedTask("csv_import"), {makeStep(1, 0, 3, 0)}) == "0 of 3 chunks of step 1");
  auto planning = makeStep(1, 12, 788, 0);
  planning.progress.plan_complete = false;
  CHECK(ctl::achievedText(endedTask("example"), {planning}) == "12 of at least 800 subtasks of step 1");
  CHECK(ctl::achievedText(endedTask("example"), {}).empty());
  for (const auto state : {proto::TaskState::kSucceed, proto::TaskState::kRunning}) {
    auto task = endedTask("example");
    task.state = state;
    CHECK(ctl::achievedText(task, {makeStep(1, 1, 1, 0)}).empty());
  }
}

TEST_CASE("A command ends with 69 while the store cannot be reached or takes no writes") {
  const auto codeOf = [](ErrorCode code) {
    ctl::Arguments arguments;
    arguments.command.run = [code](ctl::Context&) -> int { throw Exception(code, "the store says so"); };
    std::ostringstream out;
    std::ostringstream err;
    return ctl::run(arguments, out, err);
  };
  for (const auto code :
       {ErrorCode::kStoreUnavailable,
        ErrorCode::kStoreTooMany,
        ErrorCode::kStoreReadOnly,
        ErrorCode::kStoreDiskFull,
        ErrorCode::kTimedOut}) {
    INFO(toString(code));
    CHECK(codeOf(code) == 69);
  }
  CHECK(codeOf(ErrorCode::kStoreNoPrivilege) == 77);
  CHECK(codeOf(ErrorCode::kStoreContent) == 1);
}
