#pragma once
#include "disttask/plugin/task_type.hpp"
#include "disttask_plugin.h"
#include "host_services.hpp"

#include <memory>
#include <string>

namespace disttask::plugin {

/// A task type of a plugin, as the framework uses it: turns calls into calls of the C ABI, and statuses into
/// exceptions.
class AbiTaskType final : public TaskType {
 public:
  /// `type` has passed checkTaskType and stays valid until the process ends.
  AbiTaskType(const disttask_task_type* type, std::string origin, std::shared_ptr<const HostServices> services);

  /// Hands over `plugins.config.NAME` as JSON; once, before anything else. Throws what the plugin says.
  void configure(const std::string& config);

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] const std::string& version() const noexcept override { return version_; }
  [[nodiscard]] const std::string& origin() const noexcept override { return origin_; }
  [[nodiscard]] TaskTypeOptions options() const noexcept override { return options_; }
  void validate(const std::string& meta) override;
  proto::Step nextStep(const runtime::CancelToken& token, const proto::Task& task, proto::Step after) override;
  PlannedBatch plan(
      PlanContext& context,
      const proto::Task& task,
      proto::Step step,
      const std::string& cursor,
      const PlanLimits& limits
  ) override;
  void revert(const runtime::CancelToken& token, const proto::Task& task) override;
  [[nodiscard]] bool hasCleanUp() const noexcept override;
  void cleanUp(const runtime::CancelToken& token, const proto::Task& task) override;
  std::unique_ptr<StepExecutor> createStepExecutor(const proto::Task& task) override;
  [[nodiscard]] bool isIdempotent(const proto::Subtask& subtask) override;
  [[nodiscard]] bool isRetryableError(const Error& error) override;

 private:
  template <typename Extension>
  [[nodiscard]] const Extension* findExtension(std::string_view id) const noexcept;
  [[nodiscard]] CallNames namesOf(proto::TaskId task_id) const { return {name_, task_id.value(), 0}; }

  const disttask_task_type* const type_;
  const std::string name_;
  const std::string version_;
  const std::string origin_;
  const TaskTypeOptions options_;
  const std::shared_ptr<const HostServices> services_;
};

}  // namespace disttask::plugin
