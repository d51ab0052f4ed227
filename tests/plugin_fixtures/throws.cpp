// A plugin in C++ whose hooks throw: the task's meta is "HOOK WHAT", where WHAT is `std` (std::runtime_error) or `int`.
// Built twice: with the C++ runtime of the host, and with one of its own (static_libstdcxx).
#include "disttask_plugin.hpp"

#include <stdexcept>

namespace {

namespace sdk = disttask::sdk;

/// Throws when the text begins with the hook's name.
void throwIf(std::string_view meta, std::string_view hook) {
  if (!meta.starts_with(hook)) return;
  if (meta.ends_with("int")) throw 42;
  throw std::runtime_error("thrown by " + std::string(hook));
}

class ThrowingStep final : public sdk::Step {
 public:
  explicit ThrowingStep(std::string_view task_meta) : meta_(task_meta) {}
  void init(const sdk::Host&) override { throwIf(meta_, "init"); }
  std::string runSubtask(sdk::Run&, const sdk::Subtask&) override {
    throwIf(meta_, "runSubtask");
    return "ran";
  }
  std::string onFinished(sdk::Run&, const sdk::Subtask&) override {
    throwIf(meta_, "onFinished");
    return {};
  }
  bool realtimeSummary(const sdk::Subtask&, sdk::Summary&) override {
    throwIf(meta_, "realtimeSummary");
    return false;
  }
  void taskMetaModified(const sdk::Host&, std::string_view) override { throwIf(meta_, "taskMetaModified"); }
  void resourceModified(const sdk::Host&, const sdk::Resource&) override { throwIf(meta_, "resourceModified"); }
  void cleanup(const sdk::Host&) override { throwIf(meta_, "cleanup"); }

 private:
  const std::string meta_;
};

class ThrowingType final : public sdk::TaskType {
 public:
  std::string name() const override { return "throws"; }
  void configure(const sdk::Host&, std::string_view config) override { throwIf(config, "configure"); }
  void validate(std::string_view meta) override { throwIf(meta, "validate"); }
  std::int32_t nextStep(const sdk::Host&, const sdk::Task& task, std::int32_t) override {
    throwIf(task.meta, "nextStep");
    return 1;
  }
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task& task, std::int32_t, std::string_view) override {
    if (task.meta.starts_with("readResults")) {
      planning.readResults(1, 0, [&](std::int32_t, std::string_view) -> bool {
        throwIf(task.meta, "readResults");
        return true;
      });
    }
    throwIf(task.meta, "plan");
    return {"", true};
  }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task& task, std::int32_t, const sdk::Resource&)
      override {
    throwIf(task.meta, "createStep");
    return std::make_unique<ThrowingStep>(task.meta);
  }
  bool isIdempotent(const sdk::Subtask& subtask) override {
    throwIf(subtask.meta, "isIdempotent");
    return true;
  }
  bool isRetryable(std::string_view error) override {
    throwIf(error, "isRetryable");
    return true;
  }
  void revert(const sdk::Host&, const sdk::Task& task) override { throwIf(task.meta, "revert"); }
};

}  // namespace

DISTTASK_PLUGIN("throws", "1", ThrowingType)
