// The task type `hooks` of hooks_test.cpp: each run and each call of a hook leaves a line in a file. Members of the
// task meta (JSON):
//   trace          that file; while TRACE.hold-WHAT is there, hook WHAT, once it has left its line, does not return
//   subtasks       how many, in one step
//   fail_at        the ordinal of the subtask that fails
//   hook_failures  how often each hook asks for another try
#include "disttask/base/json.hpp"
#include "disttask_plugin.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using disttask::Json;
namespace sdk = disttask::sdk;

std::int64_t numberOf(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value == nullptr ? 0 : value->asInt();
}

/// Leaves "WHAT PID" in the trace; returns how many lines of this WHAT are there now.
std::int64_t leaveTrace(const Json& meta, const std::string& what) {
  const auto& path = meta.find("trace")->asString();
  std::ofstream(path, std::ios::app) << (what + " " + std::to_string(::getpid()) + "\n") << std::flush;
  std::ifstream file(path);
  std::int64_t count = 0;
  for (std::string line; std::getline(file, line);) count += line.starts_with(what + " ") ? 1 : 0;
  return count;
}

void runHook(const sdk::Host& host, const sdk::Task& task, const std::string& what) {
  const Json meta = Json::parse(task.meta);
  const auto count = leaveTrace(meta, what);
  if (count <= numberOf(meta, "hook_failures")) throw sdk::RetryLater(what + " was told to ask for a retry");
  while (std::filesystem::exists(meta.find("trace")->asString() + ".hold-" + what)) host.sleep(10);
}

class HooksStep final : public sdk::Step {
 public:
  std::string runSubtask(sdk::Run&, const sdk::Subtask& subtask) override {
    const Json meta = Json::parse(subtask.meta);
    leaveTrace(meta, "run");
    if (numberOf(meta, "fail_at") == subtask.ordinal) throw sdk::Failure("this subtask was told to fail");
    return {};
  }
};

class HooksType final : public sdk::TaskType {
 public:
  [[nodiscard]] std::string name() const override { return "hooks"; }
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t, std::string_view) override {
    const auto count = std::max<std::int64_t>(1, numberOf(Json::parse(task.meta), "subtasks"));
    for (std::int64_t i = 0; i < count; ++i) planning.addSubtask(task.meta);
    return {{}, true};
  }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task&, std::int32_t, const sdk::Resource&)
      override {
    return std::make_unique<HooksStep>();
  }
  [[nodiscard]] bool isIdempotent(const sdk::Subtask&) override { return true; }
  void revert(const sdk::Host& host, const sdk::Task& task) override { runHook(host, task, "revert"); }
  void cleanUp(const sdk::Host& host, const sdk::Task& task, bool succeeded) override {
    runHook(host, task, succeeded ? "cleanup-succeeded" : "cleanup-reverted");
  }
};

}  // namespace

DISTTASK_PLUGIN("hooks", "1", HooksType)
