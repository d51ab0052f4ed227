// The task type `Example` as a live TiDB schedules it in the tests (tests/tidb/example.go, where the metas are told
// of): only the half that runs subtasks.
#include "disttask/base/json.hpp"
#include "disttask_plugin.hpp"

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace {

using disttask::Json;
namespace sdk = disttask::sdk;

std::int64_t numberOf(const Json& meta, const char* key) {
  const auto* value = meta.find(key);
  return value == nullptr ? 0 : value->asInt();
}

std::string textOf(const Json& meta, const char* key) {
  const auto* value = meta.find(key);
  return value == nullptr ? std::string() : value->asString();
}

bool isSet(const Json& meta, const char* key) {
  const auto* value = meta.find(key);
  return value != nullptr && value->asBool();
}

/// True the first time that it is asked for a subtask.
bool isFirstTime(std::int64_t subtask_id) {
  static std::mutex mutex;
  static std::set<std::int64_t> known;
  const std::lock_guard lock(mutex);
  return known.insert(subtask_id).second;
}

/// What a task wants of all its subtasks.
struct Wanted {
  explicit Wanted(std::string_view text) {
    const Json meta = Json::parse(text);
    if (!meta.isObject()) return;
    counts = numberOf(meta, "rows") != 0;
    edits = isSet(meta, "edit");
    note = textOf(meta, "note");
  }
  bool counts = false;
  bool edits = false;
  std::string note;
};

class ExampleStep final : public sdk::Step {
 public:
  explicit ExampleStep(std::string_view meta) : wanted_(meta) {}

  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override {
    if (subtask.meta.find(',') == std::string_view::npos) return {};
    const Json meta = Json::parse(subtask.meta);
    const auto trouble = textOf(meta, "trouble");
    if (trouble == "fail") throw sdk::Failure("this subtask was told to fail");
    if (trouble == "retry" && isFirstTime(subtask.id)) throw sdk::RetryLater("this subtask was told to fail once");
    run.addProgress(numberOf(meta, "rows"));
    if (const auto sleep = numberOf(meta, "sleep_ms"); sleep > 0) run.sleep(sleep);
    return {};
  }

  std::string onFinished(sdk::Run&, const sdk::Subtask& subtask) override {
    const std::lock_guard lock(mutex_);
    if (!wanted_.edits) return {};
    // As the other half of the type writes it.
    std::string meta(subtask.meta.substr(0, subtask.meta.size() - 1));
    return meta + ",\"result\":\"done " + wanted_.note + "\"}";
  }

  bool realtimeSummary(const sdk::Subtask&, sdk::Summary&) override {
    const std::lock_guard lock(mutex_);
    return wanted_.counts;
  }

  void taskMetaModified(const sdk::Host&, std::string_view meta) override {
    const Wanted fresh(meta);
    const std::lock_guard lock(mutex_);
    wanted_ = fresh;
  }

 private:
  std::mutex mutex_;
  Wanted wanted_;
};

class Example final : public sdk::TaskType {
 public:
  std::string name() const override { return "Example"; }
  std::int32_t maxParallelSubtasks() const override { return 0; }
  bool isIdempotent(const sdk::Subtask& subtask) override {
    return subtask.meta.find("\"once\":true") == std::string_view::npos;
  }
  sdk::Cursor plan(sdk::Planning&, const sdk::Task&, std::int32_t, std::string_view) override {
    throw sdk::Failure("TiDB's own scheduler plans the tasks of this type");
  }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task& task, std::int32_t, const sdk::Resource&)
      override {
    return std::make_unique<ExampleStep>(task.meta);
  }
};

}  // namespace

DISTTASK_PLUGIN("tidb_example", "1.0", Example)
