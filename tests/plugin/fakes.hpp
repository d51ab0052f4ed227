#pragma once
#include "disttask/plugin/connection_source.hpp"
#include "disttask/plugin/plugin_loader.hpp"
#include "disttask/plugin/task_type.hpp"

#include "support/temp_dir.hpp"
#include "support/wait.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace disttask::test {

/// A run as a plugin's adapter sees it, without a store. Counters may be read by any thread.
class FakeRun final : public plugin::RunContext {
 public:
  runtime::CancelSource source;
  std::string kept_checkpoint;
  std::optional<Error> checkpoint_error;  ///< thrown by putCheckpoint
  runtime::Duration valid_for = std::chrono::seconds(20);
  TestSignal<std::string> checkpoints;   ///< each one that is put
  TestSignal<runtime::Duration> sleeps;  ///< each sleep, when it begins

  FakeRun() : token_(source.token()) {}
  [[nodiscard]] const runtime::CancelToken& token() const noexcept override { return token_; }
  /// Sleeps up to a second for real; longer sleeps wait for the cancel.
  bool sleepFor(runtime::Duration duration) override {
    sleeps.send(duration);
    runtime::Wakeup wakeup(runtime::systemClock());
    return wakeup.waitFor(token_, duration) != runtime::WakeReason::kCancelled;
  }
  void addProgress(std::int64_t rows, std::int64_t bytes, std::int64_t read_bytes) noexcept override {
    const std::lock_guard lock(mutex_);
    progress_.row_count += rows;
    progress_.bytes += bytes;
    progress_.read_bytes += read_bytes;
  }
  [[nodiscard]] proto::SubtaskSummary progress() const noexcept override {
    const std::lock_guard lock(mutex_);
    return progress_;
  }
  std::string getCheckpoint() override { return kept_checkpoint; }
  void putCheckpoint(const std::string& checkpoint) override {
    if (checkpoint_error) throw Exception(*checkpoint_error);
    kept_checkpoint = checkpoint;
    checkpoints.send(checkpoint);
  }
  [[nodiscard]] proto::RunToken runToken() const noexcept override { return proto::RunToken(4711); }
  [[nodiscard]] runtime::Duration validFor() const noexcept override { return valid_for; }

 private:
  runtime::CancelToken token_;
  mutable std::mutex mutex_;
  proto::SubtaskSummary progress_;
};

/// Planning without a store; results by step.
class FakePlan final : public plugin::PlanContext {
 public:
  runtime::CancelSource source;
  std::map<std::int32_t, std::vector<std::string>> results;  ///< step → result metas of ordinals 1, 2, …
  std::optional<Error> results_error;
  int num_results_read = 0;

  FakePlan() : token_(source.token()) {}
  [[nodiscard]] const runtime::CancelToken& token() const noexcept override { return token_; }
  void readResults(
      proto::Step step, std::int32_t after, const std::function<bool(std::int32_t, const std::string&)>& each
  ) override {
    if (results_error) throw Exception(*results_error);
    const auto& metas = results[step.value()];
    for (auto ordinal = after + 1; ordinal <= static_cast<std::int32_t>(metas.size()); ++ordinal) {
      ++num_results_read;
      if (!each(ordinal, metas[static_cast<std::size_t>(ordinal - 1)])) return;
    }
  }
  [[nodiscard]] std::int32_t numNodes() const noexcept override { return 2; }

 private:
  runtime::CancelToken token_;
};

/// Connections `warehouse` (for every type) and `vault` (for none), one place.
class FakeConnections final : public plugin::ConnectionSource {
 public:
  std::atomic<int> num_taken{0};
  std::atomic<int> num_waits{0};
  bool is_full = false;

  Expected<std::string> get(const std::string& name, const std::string& task_type) override {
    if (name == "warehouse") return std::string(R"({"host":"db","user":"for )") + task_type + "\"}";
    return Error(ErrorCode::kNotFound, "connection '" + name + "' is not for task type '" + task_type + "'");
  }
  void acquire(const std::string& name, const std::string& task_type, const runtime::CancelToken& token) override {
    static_cast<void>(get(name, task_type).value());
    if (is_full) {
      ++num_waits;
      runtime::Wakeup never(runtime::systemClock());
      never.waitFor(token, std::chrono::hours(1));
      token.throwIfCancelled();
    }
    ++num_taken;
  }
  void release(const std::string&, const std::string&) noexcept override { --num_taken; }
};

/// A loader with all it needs; files are loaded from copies in a folder of the test's own, so that each test has a
/// fresh plugin.
struct LoaderBench {
  TempDir dir;
  FakeConnections connections;
  plugin::TaskTypes types;
  plugin::PluginLoaderSettings settings;

  [[nodiscard]] plugin::PluginLoader makeLoader() { return {settings, types, connections, runtime::systemClock()}; }
  /// Copies a fixture; returns the path of the copy.
  [[nodiscard]] std::string copyFixture(const std::string& name) const;
  /// Loads a fixture and returns its task type; throws the refusal.
  [[nodiscard]] std::shared_ptr<plugin::TaskType> load(const std::string& fixture, const std::string& type);
  /// Takes a plugin of this binary.
  [[nodiscard]] std::shared_ptr<plugin::TaskType> adopt(const disttask_plugin* plugin, const std::string& type);
};

[[nodiscard]] proto::Task makeTask(const std::string& type, const std::string& meta);
[[nodiscard]] proto::Subtask makeSubtask(std::int32_t ordinal, const std::string& meta);
/// Returns the error that `body` throws; throws std::logic_error when it throws none.
template <typename Body>
[[nodiscard]] Error errorOf(Body&& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.error();
  }
  throw std::logic_error("no exception was thrown");
}

}  // namespace disttask::test
