#pragma once
#include "active_runs.hpp"
#include "disttask/plugin/step_executor.hpp"
#include "disttask_plugin.h"
#include "host_call.hpp"

#include <memory>
#include <optional>
#include <string>

namespace disttask::plugin {

/// A step object of a plugin, as the executor uses it. The object is made by init, when step and resource are known,
/// and destroyed after cleanup or a failed init, at the latest by the destructor.
class AbiStepExecutor final : public StepExecutor {
 public:
  AbiStepExecutor(
      const disttask_task_type* type,
      proto::Task task,
      std::int32_t parallel_subtasks,
      std::shared_ptr<const HostServices> services
  );
  ~AbiStepExecutor() override;

  void init(const runtime::CancelToken& token) override;
  void runSubtask(RunContext& context, proto::Subtask& subtask) override;
  std::optional<proto::SubtaskSummary> realtimeSummary(const RunContext& context) override;
  void onFinished(RunContext& context, proto::Subtask& subtask) override;
  void cleanup(const runtime::CancelToken& token) override;
  void taskMetaModified(const runtime::CancelToken& token, const std::string& meta) override;
  void resourceModified(const runtime::CancelToken& token, const proto::StepResource& resource) override;

 private:
  using Hook =
      disttask_status (*)(disttask_step*, const disttask_run*, const disttask_subtask*, disttask_sink, disttask_sink);
  struct Destroy {
    void operator()(disttask_step* step) const noexcept { step->vtbl->destroy(step); }
  };

  [[nodiscard]] CallNames names(const proto::SubtaskBase* subtask = nullptr) const;
  void callHook(Hook hook, std::string_view name, RunContext& context, proto::Subtask& subtask);
  [[nodiscard]] std::optional<proto::SubtaskSummary> askSummary(const ActiveRun& run, const RunContext& context);
  void create(HostCall& call);
  [[nodiscard]] disttask_step& step() const;

  const disttask_task_type* const type_;
  const proto::Task task_;
  const std::int32_t parallel_subtasks_;
  const std::shared_ptr<const HostServices> services_;
  std::unique_ptr<disttask_step, Destroy>
      step_;  // touched by init, cleanup and the destructor only; runs lie between them

  ActiveRuns runs_;
};

}  // namespace disttask::plugin
