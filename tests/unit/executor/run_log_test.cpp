// What runs logged last, and how it comes to the store.
#include "disttask/base/utf8.hpp"
#include "disttask/executor/run_log_writer.hpp"
#include "disttask/storage/memory/memory_run_log_table.hpp"
#include "executor_fixture.hpp"
#include "run_log_tail.hpp"

#include <catch2/catch.hpp>

using namespace disttask;        // NOLINT: a test
using namespace disttask::test;  // NOLINT: a test
using executor::LoggedRun;
using executor::RunLogWriter;

namespace {

/// A node whose Manager keeps what runs log.
struct LoggingNode {
  LoggingNode() { registerType(); }

  World world;
  storage::MemoryRunLogTable logs{world.rows};
  executor::TaskExecutorRegistry registry;
  runtime::ThreadPool ctl{"ctl", 4, 8, {}};
  runtime::ThreadPool work{"work", 16, 0, {}};
  executor::Manager manager{
      world.settings, {world.table, registry, world.clock, world.timers, ctl, work, world.lease, {}, &logs}};

  void registerType(plugin::TaskTypeOptions options = {}) {
    registry.add(
        "t",
        {[this](const auto& context, const auto& exec_id, const auto& task, auto& table)
             -> std::unique_ptr<executor::TaskExecutor> {
           return std::make_unique<ScriptedExecutor>(world.script, context, exec_id, task, table);
         },
         options,
         "test"}
    );
  }
  std::vector<std::string> texts(proto::SubtaskId id) {
    std::vector<std::string> texts;
    const auto log = logs.findLog({}, id);
    if (log) {
      for (const auto& line : log->lines) texts.push_back(line.text);
    }
    return texts;
  }
  const executor::ExecutorCounters& counters() { return manager.node().counters; }
};

/// A writer alone, with rows of runs.
struct LoneWriter {
  World world;
  storage::MemoryRunLogTable logs{world.rows};
  runtime::ThreadPool ctl{"ctl", 1, 8, {}};
  executor::NodeServices node{world.settings, world.clock, world.lease};
  RunLogWriter writer{node, logs, world.timers, ctl};
  proto::TaskId task = world.addTask();

  LoggedRun make(const std::string& text) {
    const auto id = world.addOrphan(task, true);
    LoggedRun run;
    run.id = id;
    run.token = world.rows.subtask(id)->token;
    run.lines = {{world.clock.now(), "info", text}};
    return run;
  }
};

}  // namespace

TEST_CASE("The tail of a log is bounded in lines and bytes, and counts what came before") {
  executor::RunLogTail tail;
  CHECK_FALSE(tail.hasNews());
  for (int i = 0; i < 25; ++i) tail.add({}, "info", "line " + std::to_string(i));
  LoggedRun run;
  tail.takeNews(run);
  CHECK(run.lines.size() == storage::kMaxRunLogLines);
  CHECK(run.lines.front().text == "line 5");
  CHECK(run.num_earlier == 5);
  CHECK_FALSE(tail.hasNews());

  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "\xE4\xBD\xA0";  // three bytes: a cut at 512 would split one
  for (int i = 0; i < 20; ++i) tail.add({}, "warn", wide);
  CHECK(tail.hasNews());
  tail.takeNews(run);
  std::size_t bytes = 0;
  for (const auto& line : run.lines) {
    CHECK(line.text.size() <= storage::kMaxRunLogLineBytes);
    CHECK(findInvalidUtf8(line.text) == std::string::npos);
    bytes += line.text.size();
  }
  CHECK(bytes <= storage::kMaxRunLogBytes);
  CHECK(run.num_earlier + static_cast<std::int64_t>(run.lines.size()) == 45);
}

TEST_CASE("What a run logged last is in the store after its end, with the age of each line") {
  LoggingNode node;
  node.world.script.run = [](plugin::RunContext& context, proto::Subtask&) {
    context.noteLogLine("info", "begun");
    context.sleepFor(1s);
    context.noteLogLine("error", "broken");
    throw Exception(ErrorCode::kInternal, "it broke");
  };
  const auto task = node.world.addTask();
  const auto id = node.world.addSubtask(task);
  node.manager.start();
  REQUIRE(node.world.runUntil([&] { return !node.texts(id).empty(); }));
  CHECK(node.texts(id) == std::vector<std::string>{"begun", "broken"});
  const auto log = node.logs.findLog({}, id).value();
  CHECK(log.exec_id == kNode);
  CHECK(log.lines[0].age - log.lines[1].age >= 1s);
  CHECK(node.counters().run_logs_written == 1);
}

TEST_CASE("Lines of a long run are written while it goes on, and again only when there are new ones") {
  LoggingNode node;
  Blocker blocker;
  std::atomic<bool> logs_more{false};
  node.world.script.run = [&](plugin::RunContext& context, proto::Subtask&) {
    context.noteLogLine("info", "begun");
    while (!logs_more && context.sleepFor(20ms)) {
    }
    context.noteLogLine("info", "more");
    blocker.wait(context);
  };
  const auto task = node.world.addTask();
  const auto id = node.world.addSubtask(task);
  node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.texts(id).size() == 1; }));
  const auto written = node.counters().run_logs_written.load();
  const auto until = node.world.clock.now() + 30s;
  REQUIRE(node.world.runUntil([&] { return node.world.clock.now() >= until; }, 1s));
  CHECK(node.counters().run_logs_written == written);
  logs_more = true;
  REQUIRE(node.world.runUntil([&] { return node.texts(id).size() == 2; }));
  CHECK(node.world.state(id) == proto::SubtaskState::kRunning);
  blocker.letGo();
  REQUIRE(node.world.runUntil([&] { return node.world.state(id) == proto::SubtaskState::kSucceed; }));
}

TEST_CASE("Runs that log nothing write nothing") {
  LoggingNode node;
  const auto task = node.world.addTask();
  node.world.addSubtasks(task, 20);
  node.manager.start();
  REQUIRE(node.world.runUntil([&] { return node.world.numInState(task, proto::SubtaskState::kSucceed) == 20; }));
  const auto until = node.world.clock.now() + 5s;
  REQUIRE(node.world.runUntil([&] { return node.world.clock.now() >= until; }, 500ms));
  CHECK(node.world.rows.numCalls("writeLogs") == 0);
}

TEST_CASE("A stop writes the lines of runs that it gave back") {
  LoggingNode node;
  Blocker blocker;
  node.world.script.run = [&](plugin::RunContext& context, proto::Subtask&) {
    context.noteLogLine("info", "on the way");
    blocker.wait(context);
  };
  const auto task = node.world.addTask();
  const auto id = node.world.addSubtask(task);
  node.manager.start();
  REQUIRE(node.world.runUntil([&] { return blocker.numWaiting() == 1; }));
  std::atomic<bool> stopped{false};
  runtime::ThreadGroup threads;
  threads.spawn("stop", [&] {
    node.manager.stop();
    stopped = true;
  });
  REQUIRE(node.world.runUntil([&] { return stopped.load(); }));
  threads.join();
  CHECK(node.world.state(id) == proto::SubtaskState::kPending);
  CHECK(node.texts(id) == std::vector<std::string>{"on the way"});
}

TEST_CASE("Many runs share one write, writes keep their distance, and what is too much is left out and counted") {
  LoneWriter lone;
  std::vector<LoggedRun> runs;
  for (std::size_t i = 0; i < RunLogWriter::kMaxOrdinary + 10; ++i) runs.push_back(lone.make("quick"));
  const auto important = lone.make("failed");
  for (const auto& run : runs) {
    if (lone.writer.hasRoom(true)) lone.writer.keep(run, true);
  }
  CHECK(lone.node.counters.run_logs_left_out == 10);
  REQUIRE(lone.writer.hasRoom(false));
  lone.writer.keep(important, false);
  lone.writer.start();
  REQUIRE(lone.world.runUntil([&] { return lone.node.counters.run_logs_written >= 64; }, 1ms));
  // The failed one came last and goes first; the next write waits for its time.
  CHECK(lone.node.counters.run_logs_written == 64);
  CHECK(lone.logs.findLog({}, important.id));
  const auto first = lone.world.clock.now();
  REQUIRE(lone.world.runUntil([&] { return lone.node.counters.run_logs_written >= 128; }, 10ms));
  CHECK(lone.world.clock.now() - first >= RunLogWriter::kInterval - 30ms);
  REQUIRE(lone.world.runUntil([&] {
    return lone.node.counters.run_logs_written == static_cast<std::int64_t>(RunLogWriter::kMaxOrdinary) + 1;
  }));
  CHECK(lone.world.rows.numCalls("writeLogs") == 5);
}

TEST_CASE("Newer lines of a subtask take the place of those that wait") {
  LoneWriter lone;
  auto run = lone.make("old");
  lone.writer.keep(run, true);
  run.lines.front().text = "new";
  lone.writer.keep(run, false);
  lone.writer.start();
  REQUIRE(lone.world.runUntil([&] { return lone.node.counters.run_logs_written > 0; }));
  CHECK(lone.logs.findLog({}, run.id)->lines.front().text == "new");
  CHECK(lone.node.counters.run_logs_written == 1);
}

TEST_CASE("A store that is away gets the lines later, one that has no place for them is left alone for a while") {
  LoneWriter lone;
  const auto run = lone.make("kept");
  SECTION("away") {
    lone.world.rows.inject({"writeLogs", 1, 2, Error(ErrorCode::kStoreUnavailable, "gone"), false});
    lone.writer.keep(run, true);
    lone.writer.start();
    REQUIRE(lone.world.runUntil([&] { return lone.node.counters.run_logs_written > 0; }, 200ms));
    CHECK(lone.world.rows.numCalls("writeLogs") == 3);
    CHECK(lone.logs.findLog({}, run.id));
    CHECK(lone.writer.isAccepting());
  }
  SECTION("no such table") {
    lone.world.rows.inject({"writeLogs", 1, 1, Error(ErrorCode::kStoreSchema, "no table"), false});
    lone.writer.keep(run, true);
    lone.writer.start();
    REQUIRE(lone.world.runUntil([&] { return !lone.writer.isAccepting(); }));
    CHECK(lone.node.counters.run_logs_left_out == 1);
    CHECK_FALSE(lone.logs.findLog({}, run.id));
    REQUIRE(lone.world.runUntil([&] { return lone.writer.isAccepting(); }, 10s));
    lone.writer.keep(run, true);
    REQUIRE(lone.world.runUntil([&] { return lone.node.counters.run_logs_written > 0; }, 1s));
  }
}

TEST_CASE("Where no owner does it, a node deletes old lines itself") {
  LoneWriter lone;
  lone.world.settings.forget_run_logs_after = std::chrono::hours(24);
  executor::NodeServices node{lone.world.settings, lone.world.clock, lone.world.lease};
  RunLogWriter writer{node, lone.logs, lone.world.timers, lone.ctl};
  const auto run = lone.make("old");
  writer.keep(run, true);
  writer.start();
  REQUIRE(lone.world.runUntil([&] { return lone.logs.findLog({}, run.id).has_value(); }));
  REQUIRE(lone.world.runUntil([&] { return !lone.logs.findLog({}, run.id).has_value(); }, 20min));
  CHECK(lone.world.rows.numCalls("writeLogs") == 1);
}
