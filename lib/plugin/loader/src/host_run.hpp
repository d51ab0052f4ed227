#pragma once
#include "disttask/plugin/step_executor.hpp"
#include "host_call.hpp"

namespace disttask::plugin {

/// What stands behind the disttask_run of one call of run_subtask or on_finished.
class HostRun final : public HostCall {
 public:
  HostRun(const HostServices& services, const CallNames& names, RunContext& context);
  [[nodiscard]] const disttask_run* abiRun() const noexcept { return &run_; }

 protected:
  void sleepFor(runtime::Duration duration) override;
  void noteLogLine(std::string_view level, std::string_view text) override;

 private:
  friend struct RunTable;  // host_run.cpp: the functions of disttask_run
  RunContext& context_;
  disttask_run run_;
};

}  // namespace disttask::plugin
