// What the lines say that are written while a subtask runs, by whomever.
#include "disttask/observability/log.hpp"
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace disttask;
using namespace disttask::test;

namespace {

void isOfSubtask(const observability::LogRecord& line, proto::TaskId task, proto::SubtaskId subtask) {
  CHECK(line.value("task_id") == std::to_string(task.value()));
  CHECK(line.value("subtask_id") == std::to_string(subtask.value()));
  const auto has = [&](std::string_view key) {
    return std::any_of(line.fields.begin(), line.fields.end(), [&](const auto& field) { return field.key() == key; });
  };
  CHECK(has("task_key"));
  CHECK_FALSE(line.value("type").empty());
  CHECK(line.value("step") == "1");
}

}  // namespace

TEST_CASE(
    "A line that a run writes, or that is written of it, names task, key, type, step and subtask", "[executor][log]"
) {
  World world;
  const auto task = world.addTask();
  executor::NodeServices node{world.settings, world.clock, world.lease};
  const auto ids = world.addSubtasks(task, 2);
  world.script.run = [](auto&, auto& subtask) {
    observability::log(observability::Level::kInfo, "from within");
    if (subtask.ordinal == 2) throw Exception(ErrorCode::kPluginFailed, "broken");
  };
  RunningExecutor running(world, node, task);
  running.start();
  REQUIRE(world.runUntil([&] { return running.returned(); }, 100ms));
  for (const auto* message : {"from within", "subtask runs", "end of a subtask is written"}) {
    const auto lines = world.log.records(message);
    INFO(message);
    REQUIRE(lines.size() == 2);
    const bool first = lines[0].value("subtask_id") == std::to_string(ids[0].value());
    isOfSubtask(lines[0], task, ids[first ? 0 : 1]);
    isOfSubtask(lines[1], task, ids[first ? 1 : 0]);
  }
  const auto failed = world.log.records("subtask ended with an error");
  REQUIRE(failed.size() == 1);
  isOfSubtask(failed[0], task, ids[1]);
}
