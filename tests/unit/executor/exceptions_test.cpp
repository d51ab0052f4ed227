// What a task type may throw, of whatever kind and wherever, and what it does to the subtask, the task and the slots.
#include "executor_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using Catch::Matchers::Contains;
using proto::SubtaskState;

namespace {

struct Odd {};
constexpr int kNumKinds = 6;

/// Throws one of the kinds that code of a task type may throw.
[[noreturn]] void throwKind(int kind) {
  switch (kind) {
    case 0:
      throw Exception(ErrorCode::kPluginFailed, "plugin trouble");
    case 1:
      throw std::runtime_error("standard trouble");
    case 2:
      throw 42;  // NOLINT: plugin code may throw anything
    case 3:
      throw "plain trouble";  // NOLINT
    case 4:
      throw std::string("string trouble");  // NOLINT
    default:
      throw Odd{};  // NOLINT
  }
}

const char* textOf(int kind) {
  constexpr const char* kTexts[] = {
      "plugin trouble",
      "standard trouble",
      "not a std::exception",
      "plain trouble",
      "string trouble",
      "not a std::exception"};
  return kTexts[kind];
}

struct Throwing {
  World world;
  proto::TaskId task = world.addTask(/*slots=*/4);
  executor::NodeServices node{world.settings, world.clock, world.lease};

  bool runToEnd(RunningExecutor& running) {
    running.start();
    return world.runUntil([&] { return running.returned(); }, 100ms);
  }
};

/// A task executor whose run breaks its promise not to throw.
class ThrowingExecutor final : public executor::TaskExecutor {
 public:
  explicit ThrowingExecutor(proto::TaskBase task, int kind) : task_(std::move(task)), kind_(kind) {}
  void init(const runtime::CancelToken&) override {}
  void run(const proto::StepResource&) override { throwKind(kind_); }
  [[nodiscard]] proto::TaskBase getTaskBase() const override { return task_; }
  void cancelRunningSubtask() override {}
  void cancel() override {}
  void close() override {}
  bool isRetryableError(const Error&) override { return false; }

 private:
  const proto::TaskBase task_;
  const int kind_;
};

}  // namespace

TEST_CASE(
    "Whatever a run throws fails its own subtask with what is known of it, and the next one runs",
    "[executor][exceptions]"
) {
  Throwing throwing;
  const auto ids = throwing.world.addSubtasks(throwing.task, kNumKinds + 1);
  throwing.world.script.run = [](auto&, auto& subtask) {
    if (subtask.ordinal <= kNumKinds) throwKind(static_cast<int>(subtask.ordinal) - 1);
  };
  RunningExecutor running(throwing.world, throwing.node, throwing.task);
  REQUIRE(throwing.runToEnd(running));
  for (int kind = 0; kind < kNumKinds; ++kind) {
    const auto row = *throwing.world.rows.subtask(ids[kind]);
    CHECK(row.state == SubtaskState::kFailed);
    CHECK_THAT(row.error, Contains(textOf(kind)));
    CHECK(row.end_time > 0);
  }
  CHECK(throwing.world.state(ids[kNumKinds]) == SubtaskState::kSucceed);
  CHECK(throwing.world.script.count("make 1") == 1);
  CHECK(throwing.world.script.count("cleanup 1/4") == 1);
  CHECK(throwing.node.counters.failed == kNumKinds);
  CHECK(throwing.node.counters.live_runs == 0);
}

TEST_CASE("Whatever the finished hook throws fails the subtask and its result is not kept", "[executor][exceptions]") {
  Throwing throwing;
  const int kind = GENERATE(range(0, kNumKinds));
  const auto id = throwing.world.addSubtask(throwing.task);
  throwing.world.script.run = [](auto&, auto& subtask) { subtask.meta = "result"; };
  throwing.world.script.on_finished = [&](auto&, auto&) { throwKind(kind); };
  RunningExecutor running(throwing.world, throwing.node, throwing.task);
  REQUIRE(throwing.runToEnd(running));
  const auto row = *throwing.world.rows.subtask(id);
  CHECK(row.state == SubtaskState::kFailed);
  CHECK_THAT(row.error, Contains(textOf(kind)));
  CHECK(row.meta != "result");
}

TEST_CASE(
    "Whatever the making or the init of a step throws fails a subtask, and the executor ends as an idle one",
    "[executor][exceptions]"
) {
  Throwing throwing;
  const int kind = GENERATE(range(0, kNumKinds));
  auto& hook = GENERATE(false, true) ? throwing.world.script.make_step : throwing.world.script.step_init;
  hook = [&] { throwKind(kind); };
  const auto id = throwing.world.addSubtask(throwing.task);
  RunningExecutor running(throwing.world, throwing.node, throwing.task);
  REQUIRE(throwing.runToEnd(running));
  CHECK(throwing.world.state(id) == SubtaskState::kFailed);
  CHECK_THAT(throwing.world.rows.subtask(id)->error, Contains(textOf(kind)));
  CHECK(throwing.world.script.count("run 1") == 0);
  CHECK(throwing.world.script.count("cleanup 1/4") == 0);
}

TEST_CASE("Whatever cleanup, summary and modifications throw ends nothing", "[executor][exceptions]") {
  Throwing throwing;
  const int kind = GENERATE(range(0, kNumKinds));
  Blocker blocker;
  throwing.world.script.step_cleanup = [&] { throwKind(kind); };
  throwing.world.script.summary = [&] { throwKind(kind); };
  throwing.world.script.meta_modified = [&](const auto&) { throwKind(kind); };
  throwing.world.script.resource_modified = [&](const auto&) { throwKind(kind); };
  throwing.world.script.run = [&](auto& context, auto&) { blocker.wait(context); };
  const auto id = throwing.world.addSubtask(throwing.task);
  RunningExecutor running(throwing.world, throwing.node, throwing.task);
  running.start();
  REQUIRE(throwing.world.runUntil([&] { return blocker.numWaiting() == 1; }));
  throwing.world.rows.change([&](auto& data) {
    data.tasks[throwing.task].slots = 2;
    data.tasks[throwing.task].meta = "new";
  });
  REQUIRE(throwing.world.runUntil([&] {
    return throwing.world.script.count("meta new") > 0 && throwing.world.script.count("resource 2") > 0;
  }));
  CHECK(throwing.node.slots.available() == 12);
  blocker.letGo();
  REQUIRE(throwing.world.runUntil([&] { return running.returned(); }, 100ms));
  CHECK(throwing.world.state(id) == SubtaskState::kSucceed);
  CHECK(throwing.world.log.count("cleanup of a step failed") >= 1);
  CHECK(throwing.world.log.count("final summary of a subtask failed") == 1);
}

TEST_CASE(
    "A type that throws when asked whether a subtask may run twice is taken as saying no", "[executor][exceptions]"
) {
  Throwing throwing;
  const int kind = GENERATE(range(0, kNumKinds));
  Blocker blocker;
  throwing.world.script.is_idempotent = [&](const auto&) -> bool { throwKind(kind); };
  throwing.world.script.run = [&](auto& context, auto&) { blocker.wait(context); };
  const auto id = throwing.world.addSubtask(throwing.task);
  RunningExecutor running(throwing.world, throwing.node, throwing.task);
  running.start();
  REQUIRE(throwing.world.runUntil([&] { return blocker.numWaiting() == 1; }));
  running->interrupt(runtime::CancelCause::kPreempted);
  const auto begin = throwing.world.clock.now();
  REQUIRE(throwing.world.runUntil([&] { return throwing.world.clock.now() - begin > 3s; }));
  CHECK(blocker.numWaiting() == 1);
  CHECK_FALSE(proto::isIdempotent(throwing.world.rows.subtask(id)->token));
  blocker.letGo();
  REQUIRE(throwing.world.runUntil([&] { return running.returned(); }));
  CHECK(throwing.world.state(id) == SubtaskState::kSucceed);
}

TEST_CASE(
    "A type that throws when asked whether an error may pass has the error taken as final", "[executor][exceptions]"
) {
  Throwing throwing;
  const int kind = GENERATE(range(0, kNumKinds));
  throwing.world.script.is_retryable = [&](const Error&) -> bool { throwKind(kind); };
  throwing.world.script.run = [](auto&, auto&) { throw Exception(ErrorCode::kPluginFailed, "broken"); };
  const auto id = throwing.world.addSubtask(throwing.task);
  RunningExecutor running(throwing.world, throwing.node, throwing.task);
  REQUIRE(throwing.runToEnd(running));
  CHECK(throwing.world.rows.subtask(id)->error == "broken");
  CHECK(throwing.world.script.count("run 1") == 1);
}

TEST_CASE(
    "Whatever the making or the init of a task executor throws fails a subtask and gives the slots back",
    "[executor][exceptions][manager]"
) {
  World world;
  ManagedNode node(world);
  const int kind = GENERATE(range(0, kNumKinds));
  if (GENERATE(false, true)) {
    node.registry.add(
        "t",
        {[kind](const auto&, const auto&, const auto&, auto&) -> std::unique_ptr<executor::TaskExecutor> {
           throwKind(kind);
         },
         {},
         "test"}
    );
  } else {
    world.script.executor_init = [kind] { throwKind(kind); };
    node.offer();
  }
  const auto id = world.addSubtask(world.addTask(/*slots=*/4));
  node.manager.start();
  REQUIRE(world.runUntil([&] { return world.state(id) == SubtaskState::kFailed; }));
  CHECK_THAT(world.rows.subtask(id)->error, Contains(textOf(kind)));
  REQUIRE(world.runUntil([&] { return node.manager.tasks().empty(); }));
  CHECK(node.manager.node().slots.available() == 16);
}

TEST_CASE("A type that makes no task executor fails a subtask and gives the slots back", "[executor][exceptions]") {
  World world;
  ManagedNode node(world);
  node.registry.add(
      "t",
      {[](const auto&, const auto&, const auto&, auto&) { return std::unique_ptr<executor::TaskExecutor>(); },
       {},
       "test"}
  );
  const auto id = world.addSubtask(world.addTask(/*slots=*/4));
  node.manager.start();
  REQUIRE(world.runUntil([&] { return world.state(id) == SubtaskState::kFailed; }));
  CHECK(world.rows.subtask(id)->error == "task type t made no task executor");
  CHECK(node.manager.node().slots.available() == 16);
}

TEST_CASE("A task executor that throws out of run gives its slots back", "[executor][exceptions][manager]") {
  World world;
  ManagedNode node(world);
  const int kind = GENERATE(range(0, kNumKinds));
  std::atomic<int> made{0};
  node.registry.add(
      "t",
      {[&](const auto&, const auto&, const auto& task, auto&) -> std::unique_ptr<executor::TaskExecutor> {
         ++made;
         return std::make_unique<ThrowingExecutor>(task, kind);
       },
       {},
       "test"}
  );
  const auto task = world.addTask(/*slots=*/4);
  world.addSubtask(task);
  node.manager.start();
  REQUIRE(world.runUntil([&] { return made >= 2; }));  // it was taken off the list and came again
  world.setTaskState(task, proto::TaskState::kSucceed);
  REQUIRE(world.runUntil([&] { return node.manager.tasks().empty(); }));
  CHECK(node.manager.node().slots.available() == 16);
  CHECK(world.log.count("task executor threw") >= 1);
}
