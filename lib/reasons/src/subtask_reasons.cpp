#include "disttask/reasons/reasons.hpp"
#include "node_reasons.hpp"
#include "task_reasons.hpp"

namespace disttask::reasons {

namespace {

using proto::SubtaskState;
using proto::TaskState;

std::vector<Reason> whyRunning(const SubtaskFacts& facts) {
  const auto& exec_id = facts.subtask.tried.exec_id;
  if (isAlive(facts.task, exec_id) && !isSilentOwner(facts.task, exec_id)) {
    for (const auto& throttled : facts.task.throttled) {
      if (throttled.id == facts.subtask.tried.id)
        return {{Code::kThrottled, "it runs on " + exec_id + ", held up by its task's type: " + throttled.reason}};
    }
    return {{Code::kRunning, "it runs on " + exec_id}};
  }
  std::vector<Reason> reasons;
  if (auto nobody = whyNobodyLeads(facts.task)) reasons.push_back(std::move(*nobody));
  reasons.push_back(
      {Code::kNodeGone,
       "it ran on " + exec_id + ", which is not alive: to be given back, or failed if it may not run twice"}
  );
  return reasons;
}

std::vector<Reason> whyPending(const SubtaskFacts& facts) {
  const auto& subtask = facts.subtask;
  std::vector<Reason> reasons;
  auto on_node = whyPendingOn(facts.task, subtask.tried.exec_id, "it waits on ", 1);
  on_node.subtasks = 0;
  const bool is_bad = on_node.code == Code::kNodeGone || on_node.code == Code::kNodeUnfit;
  if (is_bad || subtask.tried.handed_back) {
    // Somebody has to move it, and to a node that is there.
    if (auto nobody = whyNobodyLeads(facts.task)) reasons.push_back(std::move(*nobody));
    if (auto none = whyNoNodeFits(facts.task)) reasons.push_back(std::move(*none));
  }
  if (is_bad) reasons.push_back(on_node);
  if (auto tried = whyTriedWaits(subtask.tried, "it")) reasons.push_back(std::move(*tried));
  if (!reasons.empty()) return reasons;
  if (subtask.ahead > 0) {
    on_node.text +=
        "; " + countText(subtask.ahead) + " of its own " + (subtask.ahead == 1 ? "is" : "are") + " ahead of it there";
  }
  return {on_node};
}

}  // namespace

std::vector<Reason> explainSubtask(const SubtaskFacts& facts) {
  const auto& subtask = facts.subtask;
  const auto& task = facts.task.task;
  if (proto::isDone(subtask.state)) {
    auto text = "it has ended: " + std::string(toString(subtask.state));
    if (!subtask.error.empty()) text += ", " + subtask.error;
    return {{Code::kEnded, std::move(text)}};
  }
  if (proto::isDone(task.state)) return {{Code::kEnded, "its task has ended: " + endText(task)}};
  if (subtask.state == SubtaskState::kRunning) return whyRunning(facts);
  if (auto state = whyStateHolds(task)) {
    state->text = "its task: " + state->text;
    std::vector<Reason> reasons;
    if (isLed(task.state)) {
      if (auto nobody = whyNobodyLeads(facts.task)) reasons.push_back(std::move(*nobody));
    }
    reasons.push_back(std::move(*state));
    return reasons;
  }
  if (subtask.state == SubtaskState::kPaused) {
    std::vector<Reason> reasons;
    if (auto nobody = whyNobodyLeads(facts.task)) reasons.push_back(std::move(*nobody));
    reasons.push_back({Code::kResuming, "it was paused and is about to go on with its task"});
    return reasons;
  }
  return whyPending(facts);
}

}  // namespace disttask::reasons
