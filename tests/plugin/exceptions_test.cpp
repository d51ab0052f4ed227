// Exceptions of a plugin's hooks never cross the boundary, with the C++ runtime of the host and with one of the
// plugin's own.
#include "fakes.hpp"

#include <catch2/catch.hpp>

namespace disttask::test {
namespace {

constexpr const char* kNotStd = "an exception that is not a std::exception";

struct Throwing {
  LoaderBench bench;
  std::shared_ptr<plugin::TaskType> type;

  explicit Throwing(const std::string& fixture) : type(bench.load(fixture, "throws")) {}

  /// Returns a ready step of a task with this meta.
  std::unique_ptr<plugin::StepExecutor> makeStep(const std::string& meta) {
    auto step = type->createStepExecutor(makeTask("throws", meta));
    step->setFrameworkInfo(proto::Step(1), {1, 0});
    step->init({});
    return step;
  }
  /// Calls the hook that the meta names.
  void call(const std::string& hook, const std::string& meta) {
    const auto task = makeTask("throws", meta);
    FakeRun run;
    FakePlan planning;
    planning.results[1] = {"a result"};
    auto subtask = makeSubtask(1, "");
    if (hook == "validate") return type->validate(meta);
    if (hook == "nextStep") return static_cast<void>(type->nextStep({}, task, proto::kStepInit));
    if (hook == "plan" || hook == "readResults")
      return static_cast<void>(type->plan(planning, task, proto::Step(1), "", {}));
    if (hook == "revert") return type->revert({}, task);
    const auto step = makeStep(meta);
    if (hook == "runSubtask") return step->runSubtask(run, subtask);
    if (hook == "onFinished") return step->onFinished(run, subtask);
    if (hook == "taskMetaModified") return step->taskMetaModified({}, "");
    if (hook == "resourceModified") return step->resourceModified({}, {1, 0});
    if (hook == "cleanup") return step->cleanup({});
  }
};

}  // namespace

TEST_CASE("an exception of a hook becomes an error with its text", "[plugin][exceptions]") {
  const std::string fixture = GENERATE("throws", "static_libstdcxx");
  Throwing throwing(fixture);
  for (const std::string hook :
       {"validate",
        "nextStep",
        "plan",
        "readResults",
        "revert",
        "createStep",
        "init",
        "runSubtask",
        "onFinished",
        "taskMetaModified",
        "resourceModified",
        "cleanup"}) {
    CAPTURE(fixture, hook);
    const auto standard = errorOf([&] { throwing.call(hook, hook + " std"); });
    CHECK(standard.message() == "thrown by " + hook);
    CHECK(standard.reaction() == Reaction::kGiveUp);
    CHECK(errorOf([&] { throwing.call(hook, hook + " int"); }).message() == kNotStd);
  }
}

TEST_CASE("an exception of a predicate becomes the careful answer", "[plugin][exceptions]") {
  const std::string fixture = GENERATE("throws", "static_libstdcxx");
  const std::string what = GENERATE("std", "int");
  CAPTURE(fixture, what);
  Throwing throwing(fixture);
  CHECK(throwing.type->isIdempotent(makeSubtask(1, "fine")));
  CHECK_FALSE(throwing.type->isIdempotent(makeSubtask(1, "isIdempotent " + what)));
  CHECK_FALSE(throwing.type->isRetryableError(Error(ErrorCode::kPluginFailed, "isRetryable " + what)));
  FakeRun run;
  run.addProgress(3, 2, 1);
  const auto step = throwing.makeStep("realtimeSummary " + what);
  auto subtask = makeSubtask(1, "");
  step->runSubtask(run, subtask);
  CHECK(step->realtimeSummary(run) == proto::SubtaskSummary{3, 2, 1});
}

TEST_CASE("an exception of configure is a refusal", "[plugin][exceptions]") {
  const std::string fixture = GENERATE("throws", "static_libstdcxx");
  LoaderBench bench;
  bench.settings.config["throws"] = "configure std";
  const std::string path = bench.copyFixture(fixture);
  CHECK(
      bench.makeLoader().load(path).error().message() ==
      "plugin " + path +
          " is refused: task type 'throws' refuses its configuration (plugins.config.throws): thrown by configure"
  );
}

}  // namespace disttask::test
