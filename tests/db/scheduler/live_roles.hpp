#pragma once
#include "disttask/planning/planning_service.hpp"
#include "disttask/plugin/task_types.hpp"
#include "disttask/runtime/timers.hpp"
#include "disttask/scheduler/scheduler_service.hpp"
#include "scheduler_fixture.hpp"

#include <functional>
#include <memory>
#include <string>

namespace disttask::test {

/// Type `demo` as a real planner asks it: steps 1 and 2, planned by cursor; subtask n of a step has the meta {"n":n}.
class SteppedType final : public plugin::TaskType {
 public:
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] const std::string& version() const noexcept override { return name_; }
  [[nodiscard]] const std::string& origin() const noexcept override { return name_; }
  [[nodiscard]] plugin::TaskTypeOptions options() const noexcept override { return {}; }
  void validate(const std::string&) override {}
  proto::Step nextStep(const runtime::CancelToken&, const proto::Task&, proto::Step after) override {
    return after == proto::kStepInit ? proto::Step(1) : after == proto::Step(1) ? proto::Step(2) : proto::kStepDone;
  }
  plugin::PlannedBatch
  plan(plugin::PlanContext&, const proto::Task&, proto::Step, const std::string&, const plugin::PlanLimits&) override;
  void revert(const runtime::CancelToken&, const proto::Task&) override {}
  std::unique_ptr<plugin::StepExecutor> createStepExecutor(const proto::Task&) override { return nullptr; }
  [[nodiscard]] bool isIdempotent(const proto::Subtask&) override { return true; }
  [[nodiscard]] bool isRetryableError(const Error&) override { return false; }

  int batch_rows = 10;
  int step_rows = 30;                                          ///< of step 1; step 2 has one batch
  std::function<void(const std::string& cursor)> before_plan;  ///< on the planner's thread
  std::function<std::string(int)> meta = [](int n) { return "{\"n\":" + std::to_string(n) + "}"; };

 private:
  const std::string name_ = "demo";
};

/// How a planner tries again after an error of the type that may pass.
struct PlannerRetries {
  runtime::BackoffPolicy backoff{std::chrono::milliseconds(10), std::chrono::milliseconds(50), 0};
  std::int32_t limit = 10;
};

/// The planning of one node as a daemon has it, on a store of its own and in real time. While it has a plan it looks
/// for others, and whether it is still its own, every `look_interval`.
class LivePlanner {
 public:
  LivePlanner(
      storage::mysql::Store& store,
      const std::string& exec_id,
      std::shared_ptr<SteppedType> type,
      std::function<void()> on_progress = {},
      runtime::Duration look_interval = std::chrono::milliseconds(10),
      const PlannerRetries& retries = {}
  );
  planning::PlanningService& service() { return *service_; }

 private:
  plugin::TaskTypes types_;
  runtime::Reactor reactor_;
  runtime::ThreadPool ctl_{"ctl", 1, 8, [](const Error&) {}};
  runtime::ThreadPool work_{"plan", 2, 0, [](const Error&) {}};
  std::unique_ptr<planning::PlanningService> service_;
};

/// The scheduler role of one node as a daemon has it, in real time, on a store of its own.
class LiveOwner {
 public:
  LiveOwner(storage::mysql::Store& store, const std::string& exec_id, scheduler::SchedulerSettings settings = {});
  scheduler::SchedulerService& service() { return *service_; }

 private:
  runtime::Reactor reactor_;
  runtime::ThreadPool ctl_{"ctl", 1, 8, [](const Error&) {}};
  std::unique_ptr<scheduler::SchedulerService> service_;
};

/// Ends all pending rows of a task with success, as its nodes would.
void finishPending(SchedulerFixture& fixture, proto::TaskId task);

/// Returns "" if each step of the task has its ordinals from 1 on without a gap, each with the meta of that number;
/// else what is wrong.
[[nodiscard]] std::string findHoles(SchedulerFixture& fixture, proto::TaskId task);

}  // namespace disttask::test
