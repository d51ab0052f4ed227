// Running subtasks through the adapter.
#include "disttask/observability/log_capture.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "disttask_plugin.hpp"
#include "fakes.hpp"

#include <catch2/catch.hpp>

namespace disttask::test {
namespace {

using Catch::Matchers::Contains;

/// What the step object below has seen; one test at a time.
struct Seen {
  std::vector<std::string> calls;
  sdk::Resource resource;
  int num_alive = 0;
};
Seen seen;

class ScriptStep final : public sdk::Step {
 public:
  ScriptStep() { ++seen.num_alive; }
  ~ScriptStep() override { --seen.num_alive; }
  void init(const sdk::Host&) override {
    seen.calls.emplace_back("init");
    if (++num_inits == 1) throw sdk::RetryLater("not yet");
  }
  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override {
    seen.calls.push_back("run " + std::to_string(subtask.ordinal));
    if (subtask.meta == "sleep") run.sleep(3'600'000);
    if (subtask.meta == "keep") return {};
    if (subtask.meta == "connect") {
      const auto place = run.acquireConnection("warehouse");
      return run.connection("warehouse");
    }
    if (subtask.meta == "vault") return run.connection("vault");
    const std::string before = run.checkpoint();
    run.addProgress(5, 50, 500);
    run.putCheckpoint("after " + before);
    run.log(sdk::LogLevel::kWarn, "a remark");
    return "token " + std::to_string(run.runToken()) + ", " + std::to_string(run.validForMs()) + " ms";
  }
  std::string onFinished(sdk::Run&, const sdk::Subtask& subtask) override {
    return subtask.meta.starts_with("token") ? "[" + std::string(subtask.meta) + "]" : std::string();
  }
  bool realtimeSummary(const sdk::Subtask& subtask, sdk::Summary& summary) override {
    if (subtask.meta != "keep") return false;
    summary.rows += 1000;
    return true;
  }
  void taskMetaModified(const sdk::Host&, std::string_view meta) override {
    seen.calls.push_back("meta " + std::string(meta));
  }
  void resourceModified(const sdk::Host&, const sdk::Resource& resource) override { seen.resource = resource; }
  void cleanup(const sdk::Host&) override { seen.calls.emplace_back("cleanup"); }

  static inline int num_inits = 0;
};

class ScriptType final : public sdk::TaskType {
 public:
  std::string name() const override { return "script"; }
  std::int32_t maxParallelSubtasks() const override { return 8; }
  sdk::Cursor plan(sdk::Planning&, const sdk::Task&, std::int32_t, std::string_view) override { return {"", true}; }
  std::unique_ptr<sdk::Step> createStep(
      const sdk::Host&, const sdk::Task&, std::int32_t step, const sdk::Resource& resource
  ) override {
    if (step == 3) return nullptr;
    seen.resource = resource;
    return std::make_unique<ScriptStep>();
  }
};

/// A step executor that init has made ready.
struct Script {
  LoaderBench bench;
  std::shared_ptr<plugin::TaskType> type = bench.adopt(sdk::detail::descriptor<ScriptType>("scripts", "1"), "script");
  std::unique_ptr<plugin::StepExecutor> step;
  FakeRun run;

  explicit Script(int failing_inits = 0) {
    seen = {};
    ScriptStep::num_inits = 1 - failing_inits;
    auto task = makeTask("script", "");
    task.extra.parallel_subtasks = 20;
    step = type->createStepExecutor(task);
    step->setFrameworkInfo(proto::Step(1), {3, 4096});
    if (failing_inits == 0) step->init({});
  }
};

/// A step executor of a fixture's type, ready.
std::unique_ptr<plugin::StepExecutor> makeStep(LoaderBench& bench, const std::string& fixture) {
  auto step = bench.load(fixture, "fixture")->createStepExecutor(makeTask("fixture", ""));
  step->setFrameworkInfo(proto::Step(1), {1, 0});
  step->init({});
  return step;
}

}  // namespace

TEST_CASE("AbiStepExecutor gives a run all that the framework offers", "[plugin][run]") {
  Script script;
  const observability::LogCapture log;
  script.run.kept_checkpoint = "dawn";
  auto subtask = makeSubtask(2, "work");
  script.step->runSubtask(script.run, subtask);
  CHECK(subtask.meta == "token 4711, 20000 ms");
  CHECK(script.run.kept_checkpoint == "after dawn");
  CHECK(script.run.progress() == proto::SubtaskSummary{5, 50, 500});
  const auto lines = log.records("plugin message");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].value("text") == "a remark");
  CHECK(lines[0].value("task_type") == "script");
  CHECK(lines[0].value("subtask_id") == "102");
  CHECK(lines[0].level == observability::Level::kWarn);

  script.step->onFinished(script.run, subtask);
  CHECK(subtask.meta == "[token 4711, 20000 ms]");
}

TEST_CASE(
    "AbiStepExecutor keeps the meta when a run gives no result, and asks the plugin for its summary", "[plugin][run]"
) {
  Script script;
  auto subtask = makeSubtask(1, "keep");
  script.run.addProgress(1, 2, 3);
  script.step->runSubtask(script.run, subtask);
  CHECK(subtask.meta == "keep");
  // Also after the run has returned: the last summary belongs to the finish.
  CHECK(script.step->realtimeSummary(script.run) == proto::SubtaskSummary{1001, 2, 3});
  FakeRun other;
  other.addProgress(7, 0, 0);
  CHECK(script.step->realtimeSummary(other) == proto::SubtaskSummary{7, 0, 0});
}

TEST_CASE("AbiStepExecutor makes, tells and destroys the step object in order", "[plugin][run]") {
  Script script;
  CHECK(seen.resource.slots == 3);
  CHECK(seen.resource.memory_bytes == 4096);
  CHECK(seen.resource.parallel_subtasks == 8);  // 20 were asked for, the type allows 8
  script.step->taskMetaModified({}, "new");
  script.step->resourceModified({}, {2, 1024});
  CHECK(seen.resource.slots == 2);
  auto subtask = makeSubtask(1, "keep");
  script.step->runSubtask(script.run, subtask);
  script.step->cleanup({});
  CHECK(seen.calls == std::vector<std::string>{"init", "meta new", "run 1", "cleanup"});
  CHECK(seen.num_alive == 0);
}

TEST_CASE("AbiStepExecutor makes a new object after a failed init", "[plugin][run]") {
  Script script(1);
  CHECK(errorOf([&] { script.step->init({}); }).reaction() == Reaction::kRetry);
  CHECK(seen.num_alive == 0);
  script.step->init({});
  CHECK(seen.num_alive == 1);
  script.step.reset();
  CHECK(seen.num_alive == 0);  // an executor that is dropped without cleanup frees it too
}

TEST_CASE("AbiStepExecutor refuses a step object that is missing or not complete", "[plugin][run]") {
  Script script;
  auto step = script.type->createStepExecutor(makeTask("script", ""));
  step->setFrameworkInfo(proto::Step(3), {1, 0});
  CHECK(errorOf([&] { step->init({}); }).message() == "createStep returned no object for step 3");
  LoaderBench bench;
  const auto error = errorOf([&] { static_cast<void>(makeStep(bench, "null_step_entry")); });
  CHECK(error.message() == "the step object has no run_subtask: the entry is null");
  CHECK(error.reaction() == Reaction::kGiveUp);
}

TEST_CASE("AbiStepExecutor ends a sleeping run when it is cancelled", "[plugin][run]") {
  Script script;
  auto subtask = makeSubtask(1, "sleep");
  TestSignal<Error> ended;
  runtime::ThreadGroup threads;
  threads.spawn("run", [&] { ended.send(errorOf([&] { script.step->runSubtask(script.run, subtask); })); });
  REQUIRE(script.run.sleeps.wait());
  CHECK(ended.size() == 0);
  script.run.source.cancel(runtime::CancelCause::kTaskPaused);
  const auto error = ended.wait();
  REQUIRE(error);
  CHECK(error->reaction() == Reaction::kCancelled);
  CHECK(subtask.meta == "sleep");
}

TEST_CASE("AbiStepExecutor treats a run whose row is gone as lost, before it is cancelled for it", "[plugin][run]") {
  Script script;
  script.run.checkpoint_error = Error(ErrorCode::kLost, "the row is not ours");
  auto subtask = makeSubtask(1, "work");
  const auto error = errorOf([&] { script.step->runSubtask(script.run, subtask); });
  CHECK(error.reaction() == Reaction::kLost);
  CHECK(subtask.meta == "work");
}

TEST_CASE("AbiStepExecutor hands out named connections to the types that may use them", "[plugin][run]") {
  Script script;
  auto subtask = makeSubtask(1, "connect");
  script.step->runSubtask(script.run, subtask);
  CHECK(subtask.meta == R"({"host":"db","user":"for script"})");
  CHECK(script.bench.connections.num_taken == 0);
  auto refused = makeSubtask(2, "vault");
  const auto error = errorOf([&] { script.step->runSubtask(script.run, refused); });
  CHECK(error.message() == "connection 'vault' is not for task type 'script'");
  CHECK(error.reaction() == Reaction::kGiveUp);
}

TEST_CASE("AbiStepExecutor ends the wait for a connection when the run is cancelled", "[plugin][run]") {
  Script script;
  script.bench.connections.is_full = true;
  auto subtask = makeSubtask(1, "connect");
  TestSignal<Error> ended;
  runtime::ThreadGroup threads;
  threads.spawn("run", [&] { ended.send(errorOf([&] { script.step->runSubtask(script.run, subtask); })); });
  REQUIRE(eventually([&] { return script.bench.connections.num_waits == 1; }));
  script.run.source.cancel(runtime::CancelCause::kShutdown);
  const auto error = ended.wait();
  REQUIRE(error);
  CHECK(error->reaction() == Reaction::kCancelled);
  CHECK(script.bench.connections.num_taken == 0);
}

TEST_CASE("a plugin in plain C runs with all that a host offers", "[plugin][run]") {
  LoaderBench bench;
  const auto step = makeStep(bench, "c_only");
  FakeRun run;
  auto subtask = makeSubtask(1, "well");
  step->runSubtask(run, subtask);
  CHECK(subtask.meta == "C has run well");
  CHECK(run.kept_checkpoint == "half way");
  CHECK(step->realtimeSummary(run) == proto::SubtaskSummary{10, 200, 300});
  step->onFinished(run, subtask);  // it has none
  CHECK(subtask.meta == "C has run well");
  auto connecting = makeSubtask(2, "connect");
  step->runSubtask(run, connecting);
  CHECK(connecting.meta == R"({"host":"db","user":"for fixture"})");
  step->cleanup({});
}

TEST_CASE("each status of a run has its meaning", "[plugin][run]") {
  LoaderBench bench;
  const auto step = makeStep(bench, "c_only");
  FakeRun run;
  const auto runError = [&](const std::string& meta) {
    auto subtask = makeSubtask(1, meta);
    return errorOf([&] { step->runSubtask(run, subtask); });
  };
  CHECK(runError("retry").reaction() == Reaction::kRetry);
  CHECK(runError("retry").message() == "busy");
  CHECK(runError("fail without a text").message() == "run_subtask failed without a text");
  CHECK(runError("say cancelled").reaction() == Reaction::kGiveUp);
  auto subtask = makeSubtask(1, "hand back");
  CHECK_THROWS_AS(step->runSubtask(run, subtask), plugin::HandBack);
  run.source.cancel(runtime::CancelCause::kPreempted);
  CHECK(runError("say cancelled").reaction() == Reaction::kCancelled);
}

TEST_CASE("a plugin that breaks a rule is logged as misbehaving", "[plugin][run]") {
  LoaderBench bench;
  const observability::LogCapture log;
  FakeRun run;
  auto subtask = makeSubtask(1, "count backwards");
  SECTION("a status that nobody knows is a failure") {
    const auto step = makeStep(bench, "unknown_status");
    const auto error = errorOf([&] { step->runSubtask(run, subtask); });
    CHECK(error.message() == "run_subtask returned status 17, which this host does not know: half done");
    CHECK(error.reaction() == Reaction::kGiveUp);
  }
  SECTION("an output above the limit is a failure") {
    const auto step = makeStep(bench, "huge_output");
    CHECK(errorOf([&] {
            step->runSubtask(run, subtask);
          }).message() == "the plugin wrote a result of more than 16 MiB");
    CHECK(subtask.meta == "count backwards");
  }
  SECTION("progress that goes back is left out") {
    const auto step = makeStep(bench, "c_only");
    step->runSubtask(run, subtask);
    CHECK(run.progress() == proto::SubtaskSummary{10, 200, 300});
  }
  CHECK(log.count("plugin misbehaving") == 1);
  CHECK(log.records("plugin misbehaving").at(0).value("task_type") == "fixture");
}

TEST_CASE("a run that ignores its cancel still gives its result", "[plugin][run]") {
  LoaderBench bench;
  const auto step = makeStep(bench, "ignores_cancel");
  FakeRun run;
  run.source.cancel(runtime::CancelCause::kCancelSubtask);
  auto subtask = makeSubtask(1, "");
  step->runSubtask(run, subtask);
  CHECK(subtask.meta == "finished all the same");
  CHECK(run.sleeps.size() == 20);
}

}  // namespace disttask::test
