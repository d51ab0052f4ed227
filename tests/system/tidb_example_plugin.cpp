// The task type `Example` as a live TiDB schedules it in the tests (tests/tidb/example.go): only the half that runs
// subtasks. Each leaves its meta as it is.
#include "disttask/base/json.hpp"
#include "disttask_plugin.hpp"

#include <string>
#include <string_view>

namespace {

using disttask::Json;
namespace sdk = disttask::sdk;

class ExampleStep final : public sdk::Step {
 public:
  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override {
    if (subtask.meta.find(',') == std::string_view::npos) return std::string(subtask.meta);
    const Json meta = Json::parse(subtask.meta);
    if (const Json* trouble = meta.find("trouble")) {
      if (trouble->asString() == "fail") throw sdk::Failure("this subtask was told to fail");
      if (trouble->asString() == "retry" && run.checkpoint() != "1") {
        run.putCheckpoint("1");
        throw sdk::RetryLater("this subtask was told to fail once");
      }
    }
    if (const Json* sleep = meta.find("sleep_ms")) run.sleep(sleep->asInt());
    return std::string(subtask.meta);
  }
};

class Example final : public sdk::TaskType {
 public:
  std::string name() const override { return "Example"; }
  std::int32_t maxParallelSubtasks() const override { return 0; }
  sdk::Cursor plan(sdk::Planning&, const sdk::Task&, std::int32_t, std::string_view) override {
    throw sdk::Failure("TiDB's own scheduler plans the tasks of this type");
  }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task&, std::int32_t, const sdk::Resource&)
      override {
    return std::make_unique<ExampleStep>();
  }
};

}  // namespace

DISTTASK_PLUGIN("tidb_example", "1.0", Example)
