#include "disttask/reasons/reasons.hpp"

#include <algorithm>

namespace disttask::reasons {

Facts readFacts(const Sources& sources, const runtime::Call& call, const proto::Task& task) {
  Facts facts;
  facts.task = task;
  if (proto::isDone(task.state)) return facts;
  facts.owner = sources.reasons.getRoleHolder(call);
  facts.nodes = sources.nodes.getAllNodes(call);
  facts.plans = sources.scheduler.getPlans(call, task.id);
  facts.resting = sources.reasons.getRestingPlans(call, task.id);
  for (auto& other : sources.scheduler.getUnfinishedTasks(call, kMaxLooked)) {
    if (other.id != task.id && outranks(other, task)) facts.ahead.push_back(std::move(other));
  }
  facts.holders = sources.reasons.getSlotHolders(call, kMaxLooked);
  const bool has_plan =
      std::any_of(facts.plans.begin(), facts.plans.end(), [](const auto& plan) { return !plan.complete; });
  if (!has_plan) facts.users = sources.reasons.getSlotUsers(call, kMaxLooked);
  if (task.step == proto::kStepInit) return facts;
  facts.counts = sources.scheduler.countSubtasks(call, task.id, task.step);
  facts.pending = sources.reasons.getPending(call, task.id, task.step, kMaxLooked);
  facts.running = sources.reasons.getRunning(call, task.id, task.step, kMaxLooked);
  facts.throttled = sources.reasons.getThrottled(call, task.id, task.step, kMaxLooked);
  facts.tried = sources.reasons.getTried(call, task.id, kMaxLooked);
  return facts;
}

std::optional<SubtaskFacts> readSubtaskFacts(
    const Sources& sources, const runtime::Call& call, const proto::Task& task, proto::SubtaskId id
) {
  auto subtask = sources.reasons.getSubtask(call, task.id, id, kMaxLooked);
  if (!subtask) return std::nullopt;
  return SubtaskFacts{readFacts(sources, call, task), std::move(*subtask)};
}

}  // namespace disttask::reasons
