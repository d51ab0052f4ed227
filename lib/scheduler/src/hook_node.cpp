#include "hook_node.hpp"

#include "disttask/observability/log.hpp"

namespace disttask::scheduler {

std::optional<proto::ExecId> chooseHookNode(const Round& round, const proto::TaskBase& task, storage::PlanKind kind) {
  const auto& placement = round.placement;
  auto node = placement.choosePlanner(task, round.open_plans, true);
  if (node && placement.fitnessOf(*node, task) != Fitness::kFits) {
    observability::log(
        observability::Level::kWarn,
        "hook goes to a node that may not run the task's subtasks: none that may is there",
        {{"task_id", task.id},
         {"hook", kind == storage::PlanKind::kRevert ? "revert" : "cleanup"},
         {"to", *node},
         {"reason", placement.whyNone(task)}}
    );
  }
  return node;
}

}  // namespace disttask::scheduler
