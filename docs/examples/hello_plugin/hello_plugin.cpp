#include <disttask_plugin.hpp>

namespace sdk = disttask::sdk;

struct HelloStep : sdk::Step {
  std::string runSubtask(sdk::Run& run, const sdk::Subtask& subtask) override {
    run.log(sdk::LogLevel::kInfo, "hello, " + std::string(subtask.meta));
    return "greeted " + std::string(subtask.meta);
  }
};

struct Hello : sdk::TaskType {
  std::string name() const override { return "hello"; }
  sdk::Cursor plan(sdk::Planning& planning, const sdk::Task&, int, std::string_view) override {
    for (const auto* name : {"Ann", "Bob", "Eve"}) planning.addSubtask(name);
    return {.next = "", .complete = true};
  }
  std::unique_ptr<sdk::Step> createStep(const sdk::Host&, const sdk::Task&, int, const sdk::Resource&) override {
    return std::make_unique<HelloStep>();
  }
  bool isIdempotent(const sdk::Subtask&) override { return true; }
};

DISTTASK_PLUGIN("hello", "1.0", Hello)
