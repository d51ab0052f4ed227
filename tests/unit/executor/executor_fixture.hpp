#pragma once
#include "disttask/executor/base_task_executor.hpp"
#include "disttask/executor/manager.hpp"
#include "disttask/observability/log_capture.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "disttask/storage/memory/memory_task_table.hpp"

#include "support/fake_clock.hpp"
#include "support/wait.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace disttask::test {

using namespace std::chrono_literals;

inline constexpr proto::Step kStepOne{1};
inline constexpr proto::Step kStepTwo{2};
inline constexpr const char* kNode = "node-a";

/// What the task type of a test does. Functions are set before the executor runs, and called by its threads; an empty
/// one does nothing.
struct Script {
  std::function<void(plugin::RunContext&, proto::Subtask&)> run;
  std::function<void(plugin::RunContext&, proto::Subtask&)> on_finished;
  std::function<void()> make_step;
  std::function<void(const proto::Task&)> made_for;
  std::function<void()> step_init;
  std::function<void()> step_cleanup;
  std::function<void()> summary;
  std::function<void()> executor_init;
  std::function<void(const std::string&)> meta_modified;
  std::function<void(const proto::StepResource&)> resource_modified;
  std::function<bool(const proto::Subtask&)> is_idempotent = [](const proto::Subtask&) { return true; };
  std::function<bool(const Error&)> is_retryable = [](const Error&) { return false; };

  void note(std::string event);
  [[nodiscard]] std::vector<std::string> events() const;
  [[nodiscard]] int count(const std::string& event) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> events_;
};

/// A task executor that follows a script; its events: "make N", "init N", "run ORDINAL", "finished ORDINAL", "cleanup
/// N".
class ScriptedExecutor final : public executor::BaseTaskExecutor {
 public:
  ScriptedExecutor(
      Script& script,
      const executor::ExecutorContext& context,
      const proto::ExecId& exec_id,
      const proto::Task& task,
      storage::TaskTable& table
  )
      : BaseTaskExecutor(context, exec_id, task, table), script_(script) {}
  ~ScriptedExecutor() override { close(); }
  void init(const runtime::CancelToken&) override;
  bool isIdempotent(const proto::Subtask& subtask) override { return script_.is_idempotent(subtask); }
  std::unique_ptr<plugin::StepExecutor> getStepExecutor(const proto::Task& task) override;
  bool isRetryableError(const Error& error) override { return script_.is_retryable(error); }

 private:
  Script& script_;
};

/// A lease that a test opens and closes.
class SwitchLease final : public executor::Lease {
 public:
  std::atomic<bool> open{true};
  [[nodiscard]] bool mayStart() const noexcept override { return open; }
  [[nodiscard]] runtime::Duration validFor() const noexcept override { return open ? 20s : 0s; }
};

/// A store in memory, a clock, and one node.
struct World {
  World();

  observability::LogCapture log;
  FakeClock clock;
  FakeTimers timers{clock};
  storage::MemoryRows rows{clock};
  storage::MemoryTaskTable table{rows};
  SwitchLease lease;
  executor::ExecutorSettings settings;
  Script script;

  proto::TaskId addTask(
      std::int32_t slots = 1, std::int32_t priority = proto::kDefaultPriority, proto::Step step = kStepOne
  );
  proto::SubtaskId addSubtask(proto::TaskId task, proto::Step step = kStepOne, const proto::ExecId& exec_id = kNode);
  std::vector<proto::SubtaskId> addSubtasks(proto::TaskId task, int count, proto::Step step = kStepOne);
  /// Makes a row that a dead process of this node left running; returns it.
  proto::SubtaskId addOrphan(proto::TaskId task, bool idempotent);
  void setTaskState(proto::TaskId task, proto::TaskState state);
  void setStep(proto::TaskId task, proto::Step step);
  [[nodiscard]] proto::SubtaskState state(proto::SubtaskId id) const { return rows.subtask(id)->state; }
  [[nodiscard]] int numInState(proto::TaskId task, proto::SubtaskState state) const;

  /// Lets the time pass until `done()`; false when that did not happen soon. Each step of time, and each look, waits
  /// until the world's threads rest: none misses its time, and all has happened that follows from what was seen. Test
  /// thread only.
  bool runUntil(const std::function<bool()>& done, runtime::Duration step = 50ms);
};

/// One task executor and the thread that runs it.
class RunningExecutor {
 public:
  /// `table`: another one than the world's.
  RunningExecutor(
      World& world,
      executor::NodeServices& node,
      proto::TaskId task,
      plugin::TaskTypeOptions options = {},
      storage::TaskTable* table = nullptr
  );
  ~RunningExecutor();
  /// Calls run on a thread.
  void start();
  [[nodiscard]] bool returned() const noexcept { return returned_; }
  ScriptedExecutor& operator*() noexcept { return *executor_; }
  ScriptedExecutor* operator->() noexcept { return executor_.get(); }

 private:
  World& world_;
  executor::NodeServices& node_;
  std::unique_ptr<ScriptedExecutor> executor_;
  std::atomic<bool> returned_{false};
  runtime::ThreadGroup threads_;
};

/// A node with a Manager.
struct ManagedNode {
  explicit ManagedNode(World& world);
  World& world;
  executor::TaskExecutorRegistry registry;
  runtime::ThreadPool ctl;
  runtime::ThreadPool work;
  executor::Manager manager;
  /// Registers type "t" as the world's script, with these options.
  void offer(plugin::TaskTypeOptions options = {}, const std::string& type = "t");
};

/// Blocks runs until they are cancelled or let go; for `Script::run`.
class Blocker {
 public:
  /// Waits; returns when let go, or when the run is cancelled.
  void wait(plugin::RunContext& context);
  void letGo() { open_ = true; }
  [[nodiscard]] int numWaiting() const noexcept { return waiting_; }

 private:
  std::atomic<int> waiting_{0};
  std::atomic<bool> open_{false};
};

}  // namespace disttask::test
