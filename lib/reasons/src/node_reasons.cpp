#include "node_reasons.hpp"

#include "disttask/proto/eligibility.hpp"
#include "disttask/scheduler/placement.hpp"
#include "disttask/scheduler/slot_reservation.hpp"

#include <algorithm>
#include <map>

namespace disttask::reasons {

using proto::TaskState;

namespace {

constexpr std::size_t kMaxNamed = 3;

std::string stateOf(proto::Obstacle obstacle, const proto::Node& node) {
  switch (obstacle) {
    case proto::Obstacle::kTypeNotOffered:
      return "does not offer its type";
    case proto::Obstacle::kScopeUnknown:
      return "has no scope for the moment";
    case proto::Obstacle::kOutOfScope:
      return "is in another scope";
    case proto::Obstacle::kTooFewSlots:
      return "has too few slots";
    case proto::Obstacle::kNotWanted:
      return "is " + std::string(toString(node.wanted));
    default:
      return "is not alive";
  }
}

/// Who else runs on a node, and on how many slots.
struct Others {
  std::int32_t slots = 0;
  std::string names;
  bool is_own = false;  ///< the task itself runs there
  std::int32_t own_slots = 0;
};

bool isAhead(const Facts& facts, proto::TaskId id) {
  return std::any_of(facts.ahead.begin(), facts.ahead.end(), [&](const auto& task) { return task.id == id; });
}

Others othersOn(const Facts& facts, const proto::ExecId& exec_id) {
  Others others;
  std::size_t named = 0;
  for (const auto& holder : facts.holders) {
    if (holder.exec_id != exec_id) continue;
    if (holder.task_id == facts.task.id) {
      others.is_own = true;
      others.own_slots = holder.slots;
      continue;
    }
    others.slots += holder.slots;
    if (++named > kMaxNamed) continue;
    others.names += (others.names.empty() ? "" : ", ") + holder.task_key + " (" + std::to_string(holder.slots) +
                    (isAhead(facts, holder.task_id) ? ", of higher rank)" : ")");
  }
  if (named > kMaxNamed) others.names += " and " + std::to_string(named - kMaxNamed) + " more";
  return others;
}

/// Why they wait on a node that works.
Reason whyInQueueOf(const Facts& facts, const proto::Node& node, const std::string& what, std::int64_t subtasks) {
  if (!node.reasons.empty()) {
    return {Code::kStoreTrouble, what + ", which the store refuses: " + proto::describeReasons(node.reasons), subtasks};
  }
  const auto others = othersOn(facts, node.exec_id);
  if (node.slots - others.slots < facts.task.slots) {
    return {
        Code::kSlotsShort,
        what + ", which has " + std::to_string(node.slots) + (node.slots == 1 ? " slot" : " slots") +
            "; this task needs " + std::to_string(facts.task.slots) + "; held by " + others.names +
            (others.is_own ? ", this task itself (" + std::to_string(others.own_slots) + ")" : ""),
        subtasks};
  }
  if (others.is_own) return {Code::kOwnSubtasks, what + ", where as many of the task run as may at a time", subtasks};
  const auto* who = subtasks == 1 ? "it is" : "they are";
  return {Code::kAboutToStart, what + ", which has free slots: " + who + " about to start", subtasks};
}

}  // namespace

std::string countText(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " subtask" : " subtasks");
}

std::optional<Reason> whyNoNodeFits(const Facts& facts) {
  const bool has_background = proto::hasBackgroundNode(facts.nodes);
  auto nearest = proto::Obstacle::kNotAlive;
  for (const auto& node : facts.nodes) nearest = std::max(nearest, obstacleFor(node, facts.task, has_background));
  const auto text = [&] { return whyNoNode(facts.nodes, facts.task); };
  switch (nearest) {
    case proto::Obstacle::kNotAlive:
      return Reason{Code::kNoNode, text()};
    case proto::Obstacle::kTypeNotOffered:
      return Reason{Code::kNoType, text()};
    case proto::Obstacle::kScopeUnknown:
    case proto::Obstacle::kOutOfScope:
      return Reason{Code::kNoScope, text()};
    case proto::Obstacle::kTooFewSlots:
      return Reason{Code::kNoSlots, text()};
    case proto::Obstacle::kNotWanted:
      return Reason{Code::kCordoned, text()};
    case proto::Obstacle::kNone:
      break;
  }
  return std::nullopt;
}

bool canRunSomewhere(const Facts& facts, const proto::TaskBase& task) {
  const bool has_background = proto::hasBackgroundNode(facts.nodes);
  return std::any_of(facts.nodes.begin(), facts.nodes.end(), [&](const auto& node) {
    return obstacleFor(node, task, has_background) == proto::Obstacle::kNone;
  });
}

std::optional<Reason> whySlotsShort(const Facts& facts) {
  const scheduler::Placement placement(facts.nodes);
  scheduler::SlotReservation reservation;
  std::map<proto::TaskId, std::string> keys;
  std::map<proto::TaskId, std::vector<proto::ExecId>> nodes_of;
  for (const auto& node : facts.nodes) {
    if (node.life != proto::Life()) reservation.addNode(node.exec_id, node.slots);
  }
  for (const auto& user : facts.users) {
    reservation.noteUse(user.exec_id, user.task_id, user.slots);
    keys[user.task_id] = user.task_key;
    nodes_of[user.task_id].push_back(user.exec_id);
  }
  // As a round of the owner does.
  for (const auto& task : facts.ahead) {
    const bool needs_slots =
        task.state == TaskState::kPending || task.state == TaskState::kRunning || task.state == TaskState::kResuming;
    if (!needs_slots) continue;
    keys[task.id] = task.key;
    static_cast<void>(reservation.admit(task.id, task.slots, placement.eligible(task, nodes_of[task.id])));
  }
  const auto nodes = placement.eligible(facts.task, nodes_of[facts.task.id]);
  if (nodes.empty() || reservation.admit(facts.task.id, facts.task.slots, nodes)) return std::nullopt;
  std::string holders;
  for (std::size_t i = 0; i < std::min(nodes.size(), kMaxNamed); ++i) {
    std::string on_node;
    for (const auto& [id, slots] : reservation.takersOf(nodes[i])) {
      on_node += (on_node.empty() ? "" : ", ") + keys[id] + " (" + std::to_string(slots) +
                 (isAhead(facts, id) ? ", of higher rank)" : ")");
    }
    holders += (holders.empty() ? "" : "; ") + nodes[i] + ", which has " +
               std::to_string(placement.find(nodes[i])->slots) + ", by " + on_node;
  }
  if (nodes.size() > kMaxNamed) holders += "; and on " + std::to_string(nodes.size() - kMaxNamed) + " more nodes";
  return Reason{
      Code::kSlotsShort,
      "no node has the " + std::to_string(facts.task.slots) + (facts.task.slots == 1 ? " slot" : " slots") +
          " that it needs free; held by other tasks: on " + holders};
}

bool isAlive(const Facts& facts, const proto::ExecId& exec_id) {
  return std::any_of(facts.nodes.begin(), facts.nodes.end(), [&](const auto& node) {
    return node.exec_id == exec_id && node.life != proto::Life();
  });
}

Reason whyPendingOn(const Facts& facts, const proto::ExecId& exec_id, const std::string& what, std::int64_t subtasks) {
  const auto on_node = what + exec_id;
  const auto node =
      std::find_if(facts.nodes.begin(), facts.nodes.end(), [&](const auto& each) { return each.exec_id == exec_id; });
  if (node == facts.nodes.end() || node->life == proto::Life()) {
    return {Code::kNodeGone, on_node + ", which is not alive, to be moved", subtasks};
  }
  const auto obstacle = obstacleFor(*node, facts.task, proto::hasBackgroundNode(facts.nodes));
  if (obstacle == proto::Obstacle::kNone) return whyInQueueOf(facts, *node, on_node, subtasks);
  // A cordoned node works off what it has.
  if (obstacle == proto::Obstacle::kNotWanted && node->wanted == proto::WantedState::kCordoned) {
    return whyInQueueOf(facts, *node, on_node + " (cordoned, it works off what it has)", subtasks);
  }
  return {Code::kNodeUnfit, on_node + ", which " + stateOf(obstacle, *node) + ", to be moved", subtasks};
}

void addPendingReasons(const Facts& facts, std::vector<Reason>& reasons) {
  // Those that were tried before have reasons of their own.
  std::map<proto::ExecId, std::int64_t> tried;
  for (const auto& subtask : facts.tried) {
    if (subtask.not_before_ms > 0 || subtask.abnormal_ends > 1 || subtask.handed_back) ++tried[subtask.exec_id];
  }
  for (const auto& [exec_id, all] : facts.pending) {
    const auto subtasks = all - tried[exec_id];
    if (subtasks <= 0) continue;
    const auto what = countText(subtasks) + (subtasks == 1 ? " waits on " : " wait on ");
    reasons.push_back(whyPendingOn(facts, exec_id, what, subtasks));
  }
}

std::optional<Reason> whyTriedWaits(const storage::TriedSubtask& subtask, const std::string& name) {
  if (subtask.handed_back) return Reason{Code::kHandedBack, name + " was handed back: " + subtask.last_error};
  if (subtask.not_before_ms > 0) {
    return Reason{
        Code::kBackOff,
        name + " waits after try " + std::to_string(subtask.retries) + ": " + subtask.last_error,
        0,
        (subtask.not_before_ms + 999) / 1000};
  }
  if (subtask.abnormal_ends < 2) return std::nullopt;
  return Reason{
      Code::kRunsAlone,
      name + " ended its node " + std::to_string(subtask.abnormal_ends) + " times: it waits until it can run alone"};
}

void addTriedReasons(const Facts& facts, std::vector<Reason>& reasons) {
  std::optional<Reason> back_off;
  for (const auto& subtask : facts.tried) {
    auto reason = whyTriedWaits(subtask, "subtask " + std::to_string(subtask.ordinal) + " on " + subtask.exec_id);
    if (!reason) continue;
    reason->subtasks = 1;
    if (reason->code != Code::kBackOff) {
      reasons.push_back(std::move(*reason));
    } else if (!back_off) {
      back_off = std::move(reason);
    } else {
      ++back_off->subtasks;
      back_off->until = std::min(*back_off->until, *reason->until);
    }
  }
  if (!back_off) return;
  if (back_off->subtasks > 1) back_off->text += " (and " + std::to_string(back_off->subtasks - 1) + " more)";
  reasons.push_back(std::move(*back_off));
}

}  // namespace disttask::reasons
