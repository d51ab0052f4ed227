// The task type `bench`: empty subtasks that note when they ran, in the file of plugins.config.bench.run_log.
//   task meta     {"steps": [10, 1]}: a step of 10 subtasks, then one of 1
//   subtask meta  {"hold": true}: runs until it is cancelled
#include "disttask/base/json.hpp"
#include "disttask_plugin.hpp"
#include "run_log.hpp"

#include <optional>

namespace {

using disttask::Json;
using disttask::bench::RunLog;
namespace sdk = disttask::sdk;

constexpr std::int64_t kHoldMs = 3'600'000;

class BenchStep final : public sdk::Step {
 public:
  explicit BenchStep(RunLog& log) : log_(log) {}
  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override {
    const auto entered = disttask::bench::monotonicNs();
    if (subtask.meta.find("hold") != std::string_view::npos) run.sleep(kHoldMs);
    log_.add(subtask.task_id, subtask.ordinal, entered);
    return {};
  }

 private:
  RunLog& log_;
};

class BenchType final : public sdk::TaskType {
 public:
  std::string name() const override { return "bench"; }
  std::int32_t maxParallelSubtasks() const override { return 0; }
  void configure(const sdk::Host&, std::string_view config) override {
    const Json settings = Json::parse(config);
    const Json* path = settings.find("run_log");
    if (path == nullptr) throw sdk::Failure("plugins.config.bench.run_log is needed: a file to note the runs in");
    log_.emplace(path->asString());
  }
  std::int32_t nextStep(const sdk::Host&, const sdk::Task& task, std::int32_t after) override {
    const auto next = after == sdk::kStepInit ? 1 : after + 1;
    return next <= static_cast<std::int32_t>(stepsOf(task).size()) ? next : sdk::kStepDone;
  }
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t step, std::string_view cursor)
      override {
    const auto count = stepsOf(task).at(static_cast<std::size_t>(step) - 1).asInt();
    auto done = cursor.empty() ? std::int64_t{0} : std::stoll(std::string(cursor));
    for (; done < count && planning.hasRoom(2); ++done) planning.addSubtask("{}");
    return {std::to_string(done), done >= count};
  }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task&, std::int32_t, const sdk::Resource&)
      override {
    return std::make_unique<BenchStep>(*log_);
  }
  bool isIdempotent(const sdk::Subtask&) override { return true; }

 private:
  static Json::Array stepsOf(const sdk::Task& task) {
    const Json meta = Json::parse(task.meta);
    const Json* steps = meta.find("steps");
    return steps == nullptr ? Json::Array{} : steps->asArray();
  }
  std::optional<RunLog> log_;
};

}  // namespace

DISTTASK_PLUGIN("bench_task", "1.0", BenchType)
