#include "disttask/executor/registry.hpp"

#include "disttask/executor/errors.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::executor;
using Catch::Matchers::Contains;

namespace {
TaskExecutorFactory makeNothing() {
  return [](const ExecutorContext&, const proto::ExecId&, const proto::Task&, storage::TaskTable&) {
    return std::unique_ptr<TaskExecutor>();
  };
}
}  // namespace

TEST_CASE("The default registry knows what was registered until it is cleared", "[executor][registry]") {
  clearTaskExecutors();
  CHECK_FALSE(getTaskExecutorFactory("a"));
  registerTaskType(
      "a",
      makeNothing(),
      {withRetryLimit(7),
       withParallelSubtasks(2, 4),
       withBackoff({std::chrono::seconds(1), std::chrono::seconds(9), 0})}
  );
  CHECK(getTaskExecutorFactory("a"));
  CHECK_FALSE(getTaskExecutorFactory("b"));
  const auto options = defaultTaskExecutorRegistry().find("a")->options;
  CHECK(options.retry_limit == 7);
  CHECK(options.parallel_subtasks == 2);
  CHECK(options.max_parallel_subtasks == 4);
  CHECK(options.backoff.cap == std::chrono::seconds(9));
  clearTaskExecutors();
  CHECK_FALSE(getTaskExecutorFactory("a"));
}

TEST_CASE("The same type twice is an error that names both origins", "[executor][registry]") {
  TaskExecutorRegistry registry;
  registry.add("a", {makeNothing(), {}, "first.so"});
  CHECK_THROWS_WITH(registry.add("a", {makeNothing(), {}, "second.so"}), Contains("first.so") && Contains("second.so"));
  clearTaskExecutors();
  registerTaskType("a", makeNothing());
  CHECK_THROWS_WITH(registerTaskType("a", makeNothing()), Contains("registry_test.cpp:"));
  clearTaskExecutors();
}

TEST_CASE("The errors of the API have DXF's texts", "[executor][registry]") {
  CHECK(errCancelSubtask().message() == "cancel subtasks");
  CHECK(errNonIdempotentSubtask().message() == "subtask in running state and is not idempotent");
}
