#pragma once
#include "disttask/plugin/task_type.hpp"
#include "host_call.hpp"

#include <atomic>
#include <mutex>
#include <string>

namespace disttask::plugin {

/// What stands behind the disttask_planning of one call of plan; collects the batch.
class HostPlanning final : public HostCall {
 public:
  HostPlanning(const HostServices& services, const CallNames& names, PlanContext& context, const PlanLimits& limits);
  [[nodiscard]] const disttask_planning* abiPlanning() const noexcept { return &planning_; }
  /// Returns the metas in the order in which they were added; throws when the plugin added more than the limits allow.
  [[nodiscard]] std::vector<std::string> takeMetas();

 private:
  friend struct PlanningTable;  // host_planning.cpp: the functions of disttask_planning
  void add(std::string_view meta);

  PlanContext& context_;
  const PlanLimits limits_;
  disttask_planning planning_;
  std::atomic<bool> incomplete_{false};
  std::mutex mutex_;
  // Guarded by mutex_: a plugin may add from several threads.
  std::vector<std::string> metas_;
  std::int64_t num_bytes_ = 0;
  std::string refusal_;
};

}  // namespace disttask::plugin
