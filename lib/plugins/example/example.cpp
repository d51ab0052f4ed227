// The task type `example`: it sleeps, counts, fails, crashes and hangs on demand. For tests, and for reading:
// docs/plugin-guide.md walks through it. Members of the task meta (JSON), all optional:
//   subtasks     how many in the first step, default 1; each later step gets one subtask for each result of the step
//   before steps        1 to 3, default 1 sleep_ms     how long each subtask takes, default 0 result       text that
//   each subtask leaves as its result, default "done" idempotent   may a subtask run again after its node died? default
//   true fail_at, retry_at, crash_at, hang_at: the ordinal of the subtask of the first step that fails, fails once and
//   then works, ends its process, or
//                ignores its cancel; the last two only where the node's settings say plugins.config.example.allow_harm:
//                true
#include "disttask/base/json.hpp"
#include "disttask_plugin.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace {

using disttask::Json;
namespace sdk = disttask::sdk;

constexpr std::int64_t kSliceMs = 100;
constexpr std::int64_t kMaxSleepMs = 86'400'000;
constexpr std::int64_t kMaxSubtasks = 1'000'000;

/// Returns a whole number of the object, `fallback` when it is absent; throws with the key when it is something else or
/// out of range.
std::int64_t numberOf(
    const Json& object, std::string_view key, std::int64_t fallback, std::int64_t least, std::int64_t most
) {
  const Json* value = object.find(key);
  if (value == nullptr) return fallback;
  if (!value->isInt() || value->asInt() < least || value->asInt() > most) {
    throw sdk::Failure(
        "meta." + std::string(key) + " is " + value->dump() + ", a whole number from " + std::to_string(least) +
        " to " + std::to_string(most) + " is needed"
    );
  }
  return value->asInt();
}

struct Options {
  std::int64_t subtasks, steps, sleep_ms, fail_at, retry_at, crash_at, hang_at;
  bool idempotent = true;
  std::string result = "done";

  explicit Options(std::string_view meta) : Options(Json::parse(meta.empty() ? "{}" : meta)) {}
  explicit Options(const Json& meta)
      : subtasks(numberOf(meta, "subtasks", 1, 0, kMaxSubtasks)),
        steps(numberOf(meta, "steps", 1, 1, 3)),
        sleep_ms(numberOf(meta, "sleep_ms", 0, 0, kMaxSleepMs)),
        fail_at(numberOf(meta, "fail_at", 0, 1, kMaxSubtasks)),
        retry_at(numberOf(meta, "retry_at", 0, 1, kMaxSubtasks)),
        crash_at(numberOf(meta, "crash_at", 0, 1, kMaxSubtasks)),
        hang_at(numberOf(meta, "hang_at", 0, 1, kMaxSubtasks)) {
    static const std::set<std::string, std::less<>> kKeys{
        "subtasks", "steps", "sleep_ms", "result", "idempotent", "fail_at", "retry_at", "crash_at", "hang_at"};
    for (const auto& [key, value] : meta.asObject()) {
      if (kKeys.count(key) == 0) throw sdk::Failure("meta." + key + " is not a member that this task type knows");
    }
    if (const Json* value = meta.find("idempotent")) idempotent = value->asBool();
    if (const Json* value = meta.find("result")) result = value->asString();
  }
};

/// What the planner writes into a subtask's meta: all that its run needs, so that the run never looks at the task.
Json makeSubtask(const Options& options, std::string_view input) {
  Json meta;
  meta["sleep_ms"] = options.sleep_ms;
  meta["result"] = options.result;
  meta["idempotent"] = options.idempotent;
  if (!input.empty()) meta["input"] = input;
  return meta;
}

class ExampleStep final : public sdk::Step {
 public:
  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override {
    const Json meta = Json::parse(subtask.meta);
    const Json* trouble = meta.find("trouble");
    if (trouble != nullptr) makeTrouble(run, trouble->asString());
    sleepInSlices(run, numberOf(meta, "sleep_ms", 0, 0, kMaxSleepMs));
    const Json* text = meta.find("result");
    Json result;
    result["result"] = text == nullptr ? Json() : *text;
    result["ordinal"] = std::int64_t{subtask.ordinal};
    return result.dump();
  }

 private:
  /// Sleeps, and after each slice counts it and keeps a checkpoint: a run on another node goes on where this one ended.
  static void sleepInSlices(const sdk::Run& run, std::int64_t total_ms) {
    const std::string kept = run.checkpoint();
    const Json checkpoint = kept.empty() ? Json() : Json::parse(kept);
    std::int64_t slept_ms = numberOf(checkpoint, "slept_ms", 0, 0, total_ms);
    while (slept_ms < total_ms) {
      const std::int64_t slice = std::min(kSliceMs, total_ms - slept_ms);
      run.sleep(slice);  // throws when the run is cancelled
      slept_ms += slice;
      run.addProgress(1);
      Json next;
      next["slept_ms"] = slept_ms;
      run.putCheckpoint(next.dump());
    }
  }

  static void makeTrouble(const sdk::Run& run, const std::string& trouble) {
    if (!trouble.empty()) run.log(sdk::LogLevel::kWarn, "told to " + trouble + "; subtask show has this line");
    if (trouble == "fail") throw sdk::Failure("this subtask was told to fail");
    if (trouble == "crash") std::abort();
    if (trouble == "hang") {
      for (;;) ::pause();  // what a plugin must never do: it does not return when it is cancelled
    }
    if (trouble == "retry" && run.checkpoint().empty()) {
      run.putCheckpoint(R"({"slept_ms":0})");  // not {}, which is what a row without a checkpoint has
      throw sdk::RetryLater("this subtask was told to fail once");
    }
  }
};

class ExampleType final : public sdk::TaskType {
 public:
  std::string name() const override { return "example"; }
  std::string version() const override { return "1.0"; }
  std::int32_t maxParallelSubtasks() const override { return 0; }

  void configure(const sdk::Host&, std::string_view config) override {
    const Json settings = Json::parse(config);
    if (const Json* value = settings.find("allow_harm")) allow_harm_ = value->asBool();
  }
  void validate(std::string_view meta) override { static_cast<void>(Options(meta)); }

  std::int32_t nextStep(const sdk::Host&, const sdk::Task& task, std::int32_t after) override {
    const std::int32_t next = after == sdk::kStepInit ? 1 : after + 1;
    return next <= Options(task.meta).steps ? next : sdk::kStepDone;
  }

  /// The cursor is the number of subtasks that are planned already, "" at the start: the same cursor gives the same
  /// subtasks.
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t step, std::string_view cursor)
      override {
    const Options options(task.meta);
    if (!allow_harm_ && options.crash_at + options.hang_at > 0) {
      throw sdk::Failure(
          "meta.crash_at and meta.hang_at need plugins.config.example.allow_harm: true in the settings of the node"
      );
    }
    const std::int32_t done = cursor.empty() ? 0 : std::stoi(std::string(cursor));
    return step == 1 ? planFirst(planning, options, done) : planFromResults(planning, options, step, done);
  }

  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task&, std::int32_t, const sdk::Resource&)
      override {
    return std::make_unique<ExampleStep>();
  }

  bool isIdempotent(const sdk::Subtask& subtask) override {
    const Json meta = Json::parse(subtask.meta);
    const Json* value = meta.find("idempotent");
    return value != nullptr && value->asBool();
  }

 private:
  static sdk::Cursor planFirst(sdk::Planning& planning, const Options& options, std::int32_t done) {
    for (; done < options.subtasks; ++done) {
      const std::int32_t ordinal = done + 1;
      Json meta = makeSubtask(options, {});
      if (ordinal == options.fail_at) meta["trouble"] = "fail";
      if (ordinal == options.retry_at) meta["trouble"] = "retry";
      if (ordinal == options.crash_at) meta["trouble"] = "crash";
      if (ordinal == options.hang_at) meta["trouble"] = "hang";
      const std::string text = meta.dump();
      if (!planning.hasRoom(text.size())) return {std::to_string(done), false};
      planning.addSubtask(text);
    }
    return {std::to_string(done), true};
  }

  /// One subtask for each result of the step before, read as a stream: no list of all results is ever in memory.
  static sdk::Cursor planFromResults(
      sdk::Planning& planning, const Options& options, std::int32_t step, std::int32_t done
  ) {
    bool complete = true;
    planning.readResults(step - 1, done, [&](std::int32_t ordinal, std::string_view result) {
      const std::string text = makeSubtask(options, result).dump();
      if (!planning.hasRoom(text.size())) return complete = false;
      planning.addSubtask(text);
      done = ordinal;
      return true;
    });
    return {std::to_string(done), complete};
  }

  bool allow_harm_ = false;
};

}  // namespace

DISTTASK_PLUGIN("example", "1.0", ExampleType)
