#include "task_reasons.hpp"

namespace disttask::reasons {

using proto::TaskState;

namespace {

bool isLeaseOver(const storage::RoleHolder& owner) noexcept {
  return owner.since_renewal_ms && owner.lease_ms > 0 && *owner.since_renewal_ms > owner.lease_ms;
}

}  // namespace

bool isSilentOwner(const Facts& facts, const proto::ExecId& exec_id) noexcept {
  const auto& owner = facts.owner;
  return owner.life != proto::Life() && owner.exec_id == exec_id && isLeaseOver(owner);
}

std::optional<Reason> whyNobodyLeads(const Facts& facts) {
  const auto& owner = facts.owner;
  if (owner.life == proto::Life()) {
    return Reason{Code::kNoOwner, "no node holds the scheduler role: is any daemon with scheduler.enabled alive?"};
  }
  if (owner.node_life == proto::Life()) {
    return Reason{
        Code::kOwnerSilent,
        "node " + owner.exec_id + " holds the scheduler role and is not alive; another takes it when its lease ends"};
  }
  if (isLeaseOver(owner)) {
    return Reason{
        Code::kOwnerSilent,
        "node " + owner.exec_id + " holds the scheduler role and has not renewed it for " +
            std::to_string(*owner.since_renewal_ms / 1000) + " s, and no other node has taken it"};
  }
  return std::nullopt;
}

std::optional<Reason> whyStateHolds(const proto::Task& task) {
  switch (task.state) {
    case TaskState::kPaused:
      return Reason{Code::kPaused, "it is paused; task resume lets it go on"};
    case TaskState::kAwaitingResolution:
      return Reason{Code::kResolution, "it waits for somebody's decision (task resolve) after: " + task.error};
    case TaskState::kPausing:
      return Reason{
          Code::kPausing, "it is being paused: what runs is told to stop, what may not run twice is waited for"};
    case TaskState::kResuming:
      return Reason{Code::kResuming, "it is about to go on after a pause"};
    case TaskState::kModifying:
      return Reason{Code::kModifying, "a modification is being applied"};
    case TaskState::kCancelling:
      return Reason{Code::kCancelling, "it was cancelled and is about to be reverted"};
    case TaskState::kReverting:
      return Reason{Code::kReverting, "it is being reverted: " + task.error};
    default:
      return std::nullopt;
  }
}

std::string endText(const proto::Task& task) {
  auto text = std::string(toString(task.state));
  if (!task.error.empty()) text += ", " + task.error;
  return text;
}

bool isLed(TaskState state) noexcept {
  return state != TaskState::kPaused && state != TaskState::kAwaitingResolution;
}

std::string_view toString(Code code) noexcept {
  switch (code) {
    case Code::kEnded:
      return "ended";
    case Code::kPaused:
      return "paused";
    case Code::kPausing:
      return "pausing";
    case Code::kResuming:
      return "resuming";
    case Code::kModifying:
      return "modifying";
    case Code::kCancelling:
      return "cancelling";
    case Code::kReverting:
      return "reverting";
    case Code::kResolution:
      return "waiting_for_resolution";
    case Code::kNoOwner:
      return "no_owner";
    case Code::kOwnerSilent:
      return "owner_silent";
    case Code::kNoNode:
      return "no_live_node";
    case Code::kNoType:
      return "type_not_offered";
    case Code::kNoScope:
      return "no_node_in_scope";
    case Code::kNoSlots:
      return "too_few_slots";
    case Code::kCordoned:
      return "cordoned";
    case Code::kRank:
      return "rank_behind";
    case Code::kNotPlanned:
      return "not_planned";
    case Code::kPlanFailed:
      return "plan_failed";
    case Code::kPlanBackOff:
      return "plan_back_off";
    case Code::kPlannerGone:
      return "planner_gone";
    case Code::kPlanning:
      return "planning";
    case Code::kNodeGone:
      return "node_gone";
    case Code::kNodeUnfit:
      return "node_unfit";
    case Code::kStoreTrouble:
      return "store_trouble";
    case Code::kSlotsShort:
      return "slots_short";
    case Code::kOwnSubtasks:
      return "behind_own";
    case Code::kAboutToStart:
      return "about_to_start";
    case Code::kBackOff:
      return "back_off";
    case Code::kRunsAlone:
      return "runs_alone";
    case Code::kHandedBack:
      return "handed_back";
    case Code::kThrottled:
      return "throttled";
    case Code::kRunning:
      return "running";
  }
  return "unknown";
}

}  // namespace disttask::reasons
