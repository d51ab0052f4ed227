// Planning through the adapter: a C++ task type of this binary, its C descriptor, and what the framework sees.
#include "disttask_plugin.hpp"
#include "fakes.hpp"

#include <catch2/catch.hpp>

namespace disttask::test {
namespace {

using Catch::Matchers::Contains;

/// Plans the numbers up to the task's meta, some a batch; step 2 plans one subtask for each result that is not "skip".
class CountType final : public sdk::TaskType {
 public:
  std::string name() const override { return "count"; }
  std::string version() const override { return "2.1"; }
  std::int32_t retryLimit() const override { return 9; }
  std::int64_t backoffBaseMs() const override { return 40; }
  std::int32_t parallelSubtasks() const override { return 0; }
  std::int32_t maxParallelSubtasks() const override { return 6; }

  void validate(std::string_view meta) override {
    if (meta.find_first_not_of("0123456789") != std::string_view::npos) {
      throw sdk::Failure("meta is '" + std::string(meta) + "', a number is needed");
    }
  }
  std::int32_t nextStep(const sdk::Host&, const sdk::Task& task, std::int32_t after) override {
    if (task.meta == "retry") throw sdk::RetryLater("the catalogue is locked");
    if (task.meta == "not here") throw sdk::HandBack("the catalogue is not here");
    if (task.meta == "no such step") return 0;
    if (task.meta == "say cancelled") throw sdk::Cancelled();
    return after == sdk::kStepInit ? 1 : after == 1 ? 2 : sdk::kStepDone;
  }
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t step, std::string_view cursor)
      override {
    if (task.meta == "not here") throw sdk::HandBack("the file is not here");
    if (task.meta == "stand still") return {std::string(cursor), false};
    if (task.meta == "flood") {
      for (int i = 0; i <= planning.maxRows(); ++i) planning.addSubtask("x");
      return {"", true};
    }
    if (task.meta == "wait") planning.sleep(3'600'000);
    if (step == 2) return planResults(planning, cursor);
    std::int32_t number = cursor.empty() ? 0 : std::stoi(std::string(cursor));
    const std::int32_t last = std::stoi(std::string(task.meta));
    while (number < last && planning.hasRoom(8)) planning.addSubtask("number " + std::to_string(++number));
    return {std::to_string(number), number == last};
  }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task&, std::int32_t, const sdk::Resource&)
      override {
    return nullptr;
  }
  bool isIdempotent(const sdk::Subtask& subtask) override { return subtask.meta != "once only"; }
  bool isRetryable(std::string_view error) override { return error.find("timeout") != std::string_view::npos; }
  void revert(const sdk::Host& host, const sdk::Task& task) override {
    host.throwIfCancelled();
    if (task.meta == "not here") throw sdk::HandBack("the lake is not here");
    if (task.meta == "stuck") throw sdk::RetryLater("the lake is frozen");
    reverted.push_back(std::string(task.key));
  }

  void cleanUp(const sdk::Host& host, const sdk::Task& task, bool succeeded) override {
    host.throwIfCancelled();
    if (task.meta == "stuck") throw sdk::RetryLater("the lake is frozen");
    cleaned.push_back(std::string(task.key) + (succeeded ? " succeeded" : " was reverted"));
  }

  static inline std::vector<std::string> reverted;
  static inline std::vector<std::string> cleaned;

 private:
  static sdk::Cursor planResults(sdk::Planning& planning, std::string_view cursor) {
    std::int32_t last = cursor.empty() ? 0 : std::stoi(std::string(cursor));
    bool complete = true;
    planning.readResults(1, last, [&](std::int32_t ordinal, std::string_view meta) {
      if (!planning.hasRoom(meta.size())) return complete = false;
      if (meta != "skip") planning.addSubtask(meta);
      last = ordinal;
      return true;
    });
    return {std::to_string(last), complete};
  }
};

/// The same without a hook of its own to clean up, and one that nobody else can name.
class PlainType : public sdk::TaskType {
 public:
  std::string name() const override { return "plain"; }
  std::string version() const override { return "1"; }
  sdk::Cursor plan(sdk::Planning&, const sdk::Task&, std::int32_t, std::string_view) override { return {"", true}; }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task&, std::int32_t, const sdk::Resource&)
      override {
    return nullptr;
  }
};
class SecretType final : public PlainType {
 public:
  std::string name() const override { return "secret"; }

 private:
  void cleanUp(const sdk::Host&, const sdk::Task&, bool) override { throw sdk::Failure("it was called"); }
};

std::shared_ptr<plugin::TaskType> makeType(LoaderBench& bench) {
  return bench.adopt(sdk::detail::descriptor<CountType>("counting", "1"), "count");
}

}  // namespace

TEST_CASE("AbiTaskType takes over what the type says of itself", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = makeType(bench);
  CHECK(type->name() == "count");
  CHECK(type->version() == "2.1");
  CHECK(type->origin() == "built in");
  const auto options = type->options();
  CHECK(options.retry_limit == 9);
  CHECK(options.backoff.base == std::chrono::milliseconds(40));
  CHECK(options.backoff.cap == plugin::TaskTypeOptions().backoff.cap);
  CHECK(options.parallel_subtasks == 0);
  CHECK(options.max_parallel_subtasks == 6);
}

TEST_CASE("AbiTaskType plans by cursor within the limits of a batch", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = makeType(bench);
  const auto task = makeTask("count", "7");
  FakePlan context;
  const auto first = type->plan(context, task, proto::Step(1), "", {3, 1000});
  CHECK(first.metas == std::vector<std::string>{"number 1", "number 2", "number 3"});
  CHECK(first.next_cursor == "3");
  CHECK_FALSE(first.complete);
  const auto by_bytes = type->plan(context, task, proto::Step(1), "3", {1000, 16});
  CHECK(by_bytes.metas == std::vector<std::string>{"number 4", "number 5"});
  const auto last = type->plan(context, task, proto::Step(1), by_bytes.next_cursor, {1000, 1000});
  CHECK(last.metas == std::vector<std::string>{"number 6", "number 7"});
  CHECK(last.complete);
  CHECK(type->plan(context, task, proto::Step(1), "", {3, 1000}).metas == first.metas);
}

TEST_CASE(
    "AbiTaskType streams the results of the step before and stops where the batch is full", "[plugin][planning]"
) {
  LoaderBench bench;
  const auto type = makeType(bench);
  const auto task = makeTask("count", "4");
  FakePlan context;
  context.results[1] = {"one", "skip", "three", "four", "five"};
  const auto first = type->plan(context, task, proto::Step(2), "", {2, 1000});
  CHECK(first.metas == std::vector<std::string>{"one", "three"});
  CHECK(first.next_cursor == "3");
  CHECK(context.num_results_read == 4);  // the fourth found no room; the fifth was never asked for
  const auto rest = type->plan(context, task, proto::Step(2), first.next_cursor, {9, 1000});
  CHECK(rest.metas == std::vector<std::string>{"four", "five"});
  CHECK(rest.complete);
}

TEST_CASE("AbiTaskType gives a failure of the results' reader its own reaction", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = makeType(bench);
  FakePlan context;
  context.results_error = Error(ErrorCode::kStoreUnavailable, "the store went away");
  const auto error =
      errorOf([&] { static_cast<void>(type->plan(context, makeTask("count", "4"), proto::Step(2), "", {})); });
  CHECK(error.message() == "the store went away");
  CHECK(error.reaction() == Reaction::kRetry);
}

TEST_CASE("AbiTaskType fails a plan that breaks a rule", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = makeType(bench);
  FakePlan context;
  const auto planError = [&](const std::string& meta) {
    return errorOf([&] {
      static_cast<void>(type->plan(context, makeTask("count", meta), proto::Step(1), "5", {4, 1000}));
    });
  };
  CHECK(planError("stand still").message() == "plan did not move the cursor and is not complete");
  CHECK(planError("flood").message() == "plan added too much: one batch has more than the allowed 4 subtasks");
  CHECK(planError("not a number").reaction() == Reaction::kGiveUp);
  CHECK_THAT(planError("not a number").message(), Contains("stoi"));
}

TEST_CASE("AbiTaskType ends a plan when it is cancelled", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = makeType(bench);
  FakePlan context;
  context.source.cancel(runtime::CancelCause::kLeaseLost);
  const auto error =
      errorOf([&] { static_cast<void>(type->plan(context, makeTask("count", "wait"), proto::Step(1), "", {})); });
  CHECK(error.reaction() == Reaction::kCancelled);
}

TEST_CASE("AbiTaskType goes from step to step as the type says", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = makeType(bench);
  const auto task = makeTask("count", "4");
  CHECK(type->nextStep({}, task, proto::kStepInit) == proto::Step(1));
  CHECK(type->nextStep({}, task, proto::Step(1)) == proto::Step(2));
  CHECK(type->nextStep({}, task, proto::Step(2)) == proto::kStepDone);
  const auto stepError = [&](const std::string& meta) {
    return errorOf([&] { static_cast<void>(type->nextStep({}, makeTask("count", meta), proto::kStepInit)); });
  };
  CHECK(stepError("retry").reaction() == Reaction::kRetry);
  CHECK(stepError("retry").message() == "the catalogue is locked");
  CHECK(
      stepError("no such step").message() == "next_step gave step 0 after step -1; 1 or more, or -2 (done), is needed"
  );
  CHECK(
      stepError("say cancelled").message() == "next_step returned 'cancelled' although nothing was cancelled: cancelled"
  );
}

TEST_CASE("AbiTaskType hands a plan back that this node cannot make", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = makeType(bench);
  const auto task = makeTask("count", "not here");
  FakePlan context;
  CHECK_THROWS_AS(type->nextStep({}, task, proto::kStepInit), plugin::HandBack);
  CHECK_THROWS_AS(type->plan(context, task, proto::Step(1), "", {}), plugin::HandBack);
  CHECK_THROWS_AS(type->revert({}, task), plugin::HandBack);
  CHECK(errorOf([&] { type->revert({}, task); }).message() == "the lake is not here");
}

TEST_CASE("AbiTaskType answers validate, revert and the predicates", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = makeType(bench);
  CHECK_NOTHROW(type->validate("12"));
  const auto invalid = errorOf([&] { type->validate("a dozen"); });
  CHECK(invalid.code() == ErrorCode::kInvalidArgument);
  CHECK(invalid.message() == "meta is 'a dozen', a number is needed");

  CountType::reverted.clear();
  type->revert({}, makeTask("count", "4"));
  CHECK(CountType::reverted == std::vector<std::string>{"a-key"});
  CHECK(errorOf([&] { type->revert({}, makeTask("count", "stuck")); }).reaction() == Reaction::kRetry);

  CHECK(type->isIdempotent(makeSubtask(1, "often")));
  CHECK_FALSE(type->isIdempotent(makeSubtask(1, "once only")));
  CHECK(type->isRetryableError(Error(ErrorCode::kPluginFailed, "a timeout of the lake")));
  CHECK_FALSE(type->isRetryableError(Error(ErrorCode::kPluginFailed, "no such lake")));
}

TEST_CASE(
    "AbiTaskType cleans up after a task in the way that it ended, and only where its type does", "[plugin][planning]"
) {
  LoaderBench bench;
  const auto type = makeType(bench);
  CHECK(type->hasCleanUp());
  auto task = makeTask("count", "4");
  CountType::cleaned.clear();
  task.state = proto::TaskState::kSucceed;
  type->cleanUp({}, task);
  task.state = proto::TaskState::kReverted;
  type->cleanUp({}, task);
  CHECK(CountType::cleaned == std::vector<std::string>{"a-key succeeded", "a-key was reverted"});
  CHECK(errorOf([&] { type->cleanUp({}, makeTask("count", "stuck")); }).reaction() == Reaction::kRetry);

  LoaderBench others;
  const auto plain = others.adopt(sdk::detail::descriptor<PlainType, SecretType>("others", "1"), "plain");
  CHECK_FALSE(plain->hasCleanUp());
  plain->cleanUp({}, task);
}

TEST_CASE("A clean-up hook that is private to its type is called all the same", "[plugin][planning]") {
  LoaderBench bench;
  const auto type = bench.adopt(sdk::detail::descriptor<SecretType>("secrets", "1"), "secret");
  CHECK(type->hasCleanUp());
  CHECK(errorOf([&] { type->cleanUp({}, makeTask("secret", "4")); }).message() == "it was called");
}

}  // namespace disttask::test
