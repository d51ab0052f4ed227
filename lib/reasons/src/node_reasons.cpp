#include "node_reasons.hpp"

#include "disttask/proto/eligibility.hpp"

#include <algorithm>
#include <map>

namespace disttask::reasons {

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
};

Others othersOn(const Facts& facts, const proto::ExecId& exec_id) {
  Others others;
  std::size_t named = 0;
  for (const auto& holder : facts.holders) {
    if (holder.exec_id != exec_id) continue;
    if (holder.task_id == facts.task.id) {
      others.is_own = true;
      continue;
    }
    others.slots += holder.slots;
    if (++named > kMaxNamed) continue;
    others.names += (others.names.empty() ? "" : ", ") + holder.task_key + " (" + std::to_string(holder.slots) + ")";
  }
  if (named > kMaxNamed) others.names += " and " + std::to_string(named - kMaxNamed) + " more";
  return others;
}

Reason whyPendingOn(const Facts& facts, const proto::Node& node, std::int64_t subtasks) {
  const auto what = countText(subtasks) + (subtasks == 1 ? " waits on " : " wait on ") + node.exec_id + ", ";
  const auto others = othersOn(facts, node.exec_id);
  if (node.slots - others.slots < facts.task.slots) {
    return {
        Code::kSlotsShort,
        what + "which has " + std::to_string(node.slots) + " slots and needs " + std::to_string(facts.task.slots) +
            " for this task; held by " + others.names,
        subtasks};
  }
  if (others.is_own) {
    return {Code::kOwnSubtasks, what + "where as many of the task run as may at a time", subtasks};
  }
  return {Code::kAboutToStart, what + "which has free slots: they are about to start", subtasks};
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

void addPendingReasons(const Facts& facts, std::vector<Reason>& reasons) {
  const bool has_background = proto::hasBackgroundNode(facts.nodes);
  // Those that were tried before have reasons of their own.
  std::map<proto::ExecId, std::int64_t> tried;
  for (const auto& subtask : facts.tried) {
    if (subtask.not_before_ms > 0 || subtask.abnormal_ends > 1 || subtask.handed_back) ++tried[subtask.exec_id];
  }
  for (const auto& [exec_id, all] : facts.pending) {
    const auto subtasks = all - tried[exec_id];
    if (subtasks <= 0) continue;
    const auto node = std::find_if(facts.nodes.begin(), facts.nodes.end(), [&id = exec_id](const auto& each) {
      return each.exec_id == id;
    });
    if (node == facts.nodes.end() || node->life == proto::Life()) {
      reasons.push_back(
          {Code::kNodeGone, countText(subtasks) + " of node " + exec_id + ", which is not alive, to be moved", subtasks}
      );
      continue;
    }
    const auto obstacle = obstacleFor(*node, facts.task, has_background);
    // A cordoned node works off what it has.
    const bool works = obstacle == proto::Obstacle::kNone || node->wanted == proto::WantedState::kCordoned;
    if (!works) {
      reasons.push_back(
          {Code::kNodeUnfit,
           countText(subtasks) + " of node " + exec_id + ", which " + stateOf(obstacle, *node) + ", to be moved",
           subtasks}
      );
      continue;
    }
    reasons.push_back(whyPendingOn(facts, *node, subtasks));
  }
}

void addTriedReasons(const Facts& facts, std::vector<Reason>& reasons) {
  std::optional<Reason> back_off;
  for (const auto& subtask : facts.tried) {
    const auto name = "subtask " + std::to_string(subtask.ordinal) + " on " + subtask.exec_id;
    if (subtask.handed_back) {
      reasons.push_back({Code::kHandedBack, name + " was handed back: " + subtask.last_error, 1});
      continue;
    }
    if (subtask.not_before_ms > 0) {
      const auto until = (subtask.not_before_ms + 999) / 1000;
      if (!back_off) {
        back_off = Reason{
            Code::kBackOff,
            name + " waits after try " + std::to_string(subtask.retries) + ": " + subtask.last_error,
            0,
            until};
      }
      ++back_off->subtasks;
      back_off->until = std::min(*back_off->until, until);
      continue;
    }
    if (subtask.abnormal_ends < 2) continue;
    reasons.push_back(
        {Code::kRunsAlone,
         name + " ended its node " + std::to_string(subtask.abnormal_ends) + " times: it waits until it can run alone",
         1}
    );
  }
  if (!back_off) return;
  if (back_off->subtasks > 1) back_off->text += " (and " + std::to_string(back_off->subtasks - 1) + " more)";
  reasons.push_back(*back_off);
}

}  // namespace disttask::reasons
