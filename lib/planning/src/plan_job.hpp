#pragma once
#include "disttask/observability/log_context.hpp"
#include "disttask/planning/planning_service.hpp"

namespace disttask::planning {

/// Runs one plan of this node, from where its cursor is, until it is complete, fenced off, cancelled or failed. One job
/// is confined to its thread.
class PlanJob {
 public:
  /// `waits_before`: so often in a row has this plan waited for the store.
  PlanJob(
      const PlanningSettings& settings,
      const PlanningParts& parts,
      storage::Plan plan,
      runtime::CancelToken token,
      std::uint32_t waits_before
  );
  /// Does not throw: errors are written to the plan, for the owner. Returns false when the plan may not go on now: it
  /// is fenced off, or its task is in another state.
  bool run();
  /// True: it came to a wait for the store.
  [[nodiscard]] bool waitsForStore() const { return waits_for_store_; }

 private:
  [[nodiscard]] bool runOrThrow();
  [[nodiscard]] bool planStep(plugin::TaskType& type, const proto::Task& task);
  /// The revert or the clean-up hook.
  [[nodiscard]] bool runHook(plugin::TaskType& type, const proto::Task& task);
  [[nodiscard]] storage::PlanBatch nextBatch(plugin::TaskType& type, const proto::Task& task);
  void checkSizes(const plugin::PlannedBatch& planned) const;
  /// This node cannot plan it: gives the plan to one that has not said so yet; without one, fails it.
  [[nodiscard]] bool handOn(const proto::Task& task, const std::string& message);
  void noteError(const Error& error, bool retryable);
  bool noteFenced() const;
  [[nodiscard]] storage::Call call() const { return {token_, runtime::Deadline(parts_.clock, settings_.call_timeout)}; }

  const PlanningSettings& settings_;
  const PlanningParts& parts_;
  storage::Plan plan_;
  const runtime::CancelToken token_;
  const std::uint32_t waits_before_;
  bool waits_for_store_ = false;
  std::shared_ptr<plugin::TaskType> type_;
  std::vector<observability::Field> log_fields_;  // of the task, once it was read
};

}  // namespace disttask::planning
