// The shipped plugin `example`, as a daemon would load it.
#include "disttask/base/json.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "fakes.hpp"

#include <catch2/catch.hpp>

namespace disttask::test {
namespace {

struct Example {
  LoaderBench bench;
  std::shared_ptr<plugin::TaskType> type;

  explicit Example(const std::string& config = "{}") {
    bench.settings.config["example"] = config;
    const auto copy = bench.dir / "example.so";
    std::filesystem::copy_file(DISTTASK_EXAMPLE, copy);
    std::filesystem::permissions(copy, std::filesystem::perms(0644));
    auto loader = bench.makeLoader();
    static_cast<void>(loader.load(copy.string()).value());
    type = bench.types.find("example");
  }
  /// Plans a step to its end in batches of `rows`.
  std::vector<std::string> planAll(FakePlan& context, const std::string& meta, int step, int rows) const {
    std::vector<std::string> metas;
    plugin::PlannedBatch batch;
    do {
      batch = type->plan(context, makeTask("example", meta), proto::Step(step), batch.next_cursor, {rows, 1 << 20});
      metas.insert(metas.end(), batch.metas.begin(), batch.metas.end());
    } while (!batch.complete);
    return metas;
  }
  /// Plans one step and returns the meta of one of its subtasks.
  std::string metaOf(const std::string& task_meta, std::size_t ordinal) const {
    FakePlan context;
    return planAll(context, task_meta, 1, 1000).at(ordinal - 1);
  }
  std::unique_ptr<plugin::StepExecutor> makeStep() const {
    auto step = type->createStepExecutor(makeTask("example", "{}"));
    step->setFrameworkInfo(proto::Step(1), {1, 0});
    step->init({});
    return step;
  }
};

}  // namespace

TEST_CASE("example plans its steps in batches, the later ones from results", "[plugin][example]") {
  const Example example;
  FakePlan context;
  const std::string meta = R"({"subtasks":5,"steps":2})";
  const auto first = example.planAll(context, meta, 1, 2);
  CHECK(first.size() == 5);
  context.results[1] = {"a", "b", "c"};
  const auto second = example.planAll(context, meta, 2, 2);
  REQUIRE(second.size() == 3);
  CHECK(Json::parse(second[2]).find("input")->asString() == "c");
  const auto task = makeTask("example", meta);
  CHECK(example.type->nextStep({}, task, proto::kStepInit) == proto::Step(1));
  CHECK(example.type->nextStep({}, task, proto::Step(1)) == proto::Step(2));
  CHECK(example.type->nextStep({}, task, proto::Step(2)) == proto::kStepDone);
}

TEST_CASE(
    "example sleeps in slices with progress and checkpoint, and goes on where an earlier run ended", "[plugin][example]"
) {
  const Example example;
  const auto step = example.makeStep();
  FakeRun run;
  run.kept_checkpoint = R"({"slept_ms":100})";
  auto subtask = makeSubtask(3, example.metaOf(R"({"subtasks":3,"sleep_ms":250,"result":"fine"})", 3));
  step->runSubtask(run, subtask);
  CHECK(run.sleeps.wait() == std::chrono::milliseconds(100));
  CHECK(run.sleeps.wait() == std::chrono::milliseconds(50));
  CHECK(run.progress().row_count == 2);
  CHECK(run.kept_checkpoint == R"({"slept_ms":250})");
  CHECK(subtask.meta == R"({"ordinal":3,"result":"fine"})");
}

TEST_CASE("example ends its sleep when it is cancelled", "[plugin][example]") {
  const Example example;
  const auto step = example.makeStep();
  FakeRun run;
  auto subtask = makeSubtask(1, example.metaOf(R"({"sleep_ms":3600000})", 1));
  TestSignal<Error> ended;
  runtime::ThreadGroup threads;
  threads.spawn("run", [&] { ended.send(errorOf([&] { step->runSubtask(run, subtask); })); });
  REQUIRE(run.sleeps.wait());
  run.source.cancel(runtime::CancelCause::kShutdown);
  const auto error = ended.wait();
  REQUIRE(error);
  CHECK(error->reaction() == Reaction::kCancelled);
}

TEST_CASE("example fails and retries where it was told to", "[plugin][example]") {
  const Example example;
  const auto step = example.makeStep();
  FakeRun run;
  auto failing = makeSubtask(2, example.metaOf(R"({"subtasks":2,"fail_at":2})", 2));
  const auto failure = errorOf([&] { step->runSubtask(run, failing); });
  CHECK(failure.message() == "this subtask was told to fail");
  CHECK(failure.reaction() == Reaction::kGiveUp);

  auto retrying = makeSubtask(1, example.metaOf(R"({"retry_at":1})", 1));
  CHECK(errorOf([&] { step->runSubtask(run, retrying); }).reaction() == Reaction::kRetry);
  step->runSubtask(run, retrying);
  CHECK(retrying.meta == R"({"ordinal":1,"result":"done"})");
}

TEST_CASE("example says which of its subtasks may run again", "[plugin][example]") {
  const Example example;
  CHECK(example.type->isIdempotent(makeSubtask(1, example.metaOf("{}", 1))));
  CHECK_FALSE(example.type->isIdempotent(makeSubtask(1, example.metaOf(R"({"idempotent":false})", 1))));
}

TEST_CASE("example hurts its node only where the settings allow it", "[plugin][example]") {
  const Example careful;
  const std::string sentence =
      "meta.crash_at and meta.hang_at need plugins.config.example.allow_harm: true in the settings of the node";
  for (const std::string meta : {R"({"crash_at":1})", R"({"hang_at":1})"}) {
    CHECK(errorOf([&] { static_cast<void>(careful.metaOf(meta, 1)); }).message() == sentence);
  }
  const Example harmful(R"({"allow_harm":true})");
  CHECK(Json::parse(harmful.metaOf(R"({"crash_at":1})", 1)).find("trouble")->asString() == "crash");
}

TEST_CASE("example checks its meta without a daemon", "[plugin][example]") {
  const Example example;
  CHECK_NOTHROW(example.type->validate(R"({"subtasks":3,"steps":3,"sleep_ms":10,"result":"x","crash_at":1,"hang_at":2})"
  ));
  const auto sentence = [&](const std::string& meta) {
    return errorOf([&] { example.type->validate(meta); }).message();
  };
  CHECK(sentence(R"({"steps":4})") == "meta.steps is 4, a whole number from 1 to 3 is needed");
  CHECK(sentence(R"({"subtasks":"many"})") == "meta.subtasks is \"many\", a whole number from 0 to 1000000 is needed");
  CHECK(sentence(R"({"colour":1})") == "meta.colour is not a member that this task type knows");
}

}  // namespace disttask::test
