#include "disttask/observability/log_context.hpp"

#include "disttask/base/strong_id.hpp"
#include "disttask/observability/log_capture.hpp"
#include "disttask/runtime/thread_group.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::observability;

namespace {

struct SomeTask {
  StrongId<struct SomeTaskTag, std::int64_t> id{42};
  std::string key = "nightly";
  std::string type = "csv_import";
  StrongId<struct SomeStepTag, std::int32_t> step{2};
};

/// Returns the only line, as `key=value …`.
std::string fieldsOf(const LogCapture& capture) {
  const auto records = capture.records();
  REQUIRE(records.size() == 1);
  std::string text;
  for (const auto& field : records.front().fields) {
    if (!text.empty()) text += ' ';
    text.append(field.key()).append("=").append(field.value());
  }
  return text;
}

}  // namespace

TEST_CASE("Lines carry what their thread works on behind their own fields", "[observability][log]") {
  const auto fields = taskFields(SomeTask{});
  const LogContext context(fields, Field("subtask_id", 7));
  const LogCapture capture;
  log(Level::kInfo, "line", {{"rows", 3}});
  CHECK(fieldsOf(capture) == "rows=3 task_id=42 task_key=nightly type=csv_import step=2 subtask_id=7");
}

TEST_CASE("What a line says itself wins over its context", "[observability][log]") {
  const auto fields = taskFields(SomeTask{});
  const LogContext context(fields);
  const LogCapture capture;
  log(Level::kInfo, "line", {{"task_id", 42}, {"step", 3}});
  CHECK(fieldsOf(capture) == "task_id=42 step=3 task_key=nightly type=csv_import");
}

TEST_CASE("A line about another task or subtask carries nothing of its context", "[observability][log]") {
  const auto fields = taskFields(SomeTask{});
  const LogContext context(fields, Field("subtask_id", 7));
  {
    const LogCapture capture;
    log(Level::kInfo, "line", {{"task_id", 43}});
    CHECK(fieldsOf(capture) == "task_id=43");
  }
  const LogCapture capture;
  log(Level::kInfo, "line", {{"subtask_id", 8}});
  CHECK(fieldsOf(capture) == "subtask_id=8");
}

TEST_CASE("An inner context takes the place of the outer one until it ends", "[observability][log]") {
  const auto fields = taskFields(SomeTask{});
  const LogContext outer(fields);
  {
    const std::vector<Field> other{{"task_id", 5}};
    const LogContext inner(other);
    const LogCapture capture;
    log(Level::kInfo, "line");
    CHECK(fieldsOf(capture) == "task_id=5");
  }
  const LogCapture capture;
  log(Level::kInfo, "line");
  CHECK(fieldsOf(capture) == "task_id=42 task_key=nightly type=csv_import step=2");
}

TEST_CASE("A context belongs to its thread, the fields of the process to all", "[observability][log]") {
  const auto fields = taskFields(SomeTask{});
  const LogContext context(fields);
  setProcessFields({{"node", "n1"}, {"epoch", 3}});
  const LogCapture capture;
  {
    runtime::ThreadGroup threads;
    threads.spawn("other", [] { log(Level::kInfo, "line", {{"node", "n2"}}); });
  }
  setProcessFields({});
  CHECK(fieldsOf(capture) == "node=n2 epoch=3");
}
