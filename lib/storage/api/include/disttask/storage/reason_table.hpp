#pragma once
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/storage/plan_table.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace disttask::storage {

/// Who holds the scheduler role, as people ask for it.
struct RoleHolder {
  ExecId exec_id;
  proto::Life life;       ///< 0 = nobody
  proto::Life node_life;  ///< of the holder's node row; 0 = it is not alive, or has no row
  std::int64_t lease_ms = 0;
  std::optional<std::int64_t> since_renewal_ms;  ///< by the store's clock, for display; nothing: never renewed
};

/// A task that has the slots of its subtasks on a node.
struct SlotHolder {
  ExecId exec_id;
  TaskId task_id;
  std::string task_key;    ///< the name that its submitter chose
  std::int32_t slots = 0;  ///< at least so many of the node's are its own now
};

/// How many subtasks of a task in one state a node has, among the first ones looked at.
struct SubtasksOnNode {
  ExecId exec_id;
  std::int64_t subtasks = 0;
};

/// A running subtask that its task type holds up, by the checkpoint that it keeps.
struct ThrottledSubtask {
  proto::SubtaskId id;
  ExecId exec_id;
  std::string reason;  ///< the checkpoint's `throttled_by`
};

/// A pending subtask that has a history of attempts.
struct TriedSubtask {
  proto::SubtaskId id;
  std::int32_t ordinal = 0;
  ExecId exec_id;
  std::int64_t not_before_ms = 0;  ///< since the epoch by the store; 0 = it may start now
  std::int32_t retries = 0;
  std::int32_t abnormal_ends = 0;
  bool handed_back = false;  ///< its present node has said that it cannot run it
  std::string last_error;
};

/// One subtask, as people ask for it; `tried` only says something once it has a history of attempts.
struct SubtaskPlace {
  TriedSubtask tried;
  Step step;
  proto::SubtaskState state = proto::SubtaskState::kPending;
  std::string error;
  std::int64_t ahead = 0;  ///< pending subtasks of its step that its node takes before it
};

/// Until when a plan rests.
struct RestingPlan {
  PlanKind kind = PlanKind::kStep;
  Step after_step;
  std::int64_t not_before_ms = 0;  ///< since the epoch by the store; 0 = it may go on now
};

/// What is asked only when people want to know why something waits; each looks at a bounded number of rows. Same
/// threading and failure contract as TaskTable.
class ReasonTable {
 public:
  virtual ~ReasonTable() = default;
  virtual RoleHolder getRoleHolder(const Call& call) = 0;
  /// Returns who runs subtasks on which live node, at most `limit` pairs.
  virtual std::vector<SlotHolder> getSlotHolders(const Call& call, std::int32_t limit) = 0;
  /// Returns which running tasks have pending or running rows on which live node, with the slots of one subtask, at
  /// most `limit` pairs.
  virtual std::vector<SlotHolder> getSlotUsers(const Call& call, std::int32_t limit) = 0;
  /// Returns which nodes have the first `limit` pending subtasks of a step.
  virtual std::vector<SubtasksOnNode> getPending(const Call& call, TaskId task_id, Step step, std::int32_t limit) = 0;
  /// The same of running ones.
  virtual std::vector<SubtasksOnNode> getRunning(const Call& call, TaskId task_id, Step step, std::int32_t limit) = 0;
  /// Returns running subtasks of a step whose checkpoint is a JSON object with a text `throttled_by`, at most `limit`.
  virtual std::vector<ThrottledSubtask> getThrottled(
      const Call& call, TaskId task_id, Step step, std::int32_t limit
  ) = 0;
  /// Returns pending subtasks of a task that were tried before, at most `limit`.
  virtual std::vector<TriedSubtask> getTried(const Call& call, TaskId task_id, std::int32_t limit) = 0;
  /// Returns a subtask of a task, live or in history, and how many are ahead of it, counted up to `limit`; nothing: the
  /// task has none with this id. At most three queries.
  virtual std::optional<SubtaskPlace> getSubtask(
      const Call& call, TaskId task_id, proto::SubtaskId subtask_id, std::int32_t limit
  ) = 0;
  /// Returns the plans of a task that are neither complete nor failed, and until when each rests.
  virtual std::vector<RestingPlan> getRestingPlans(const Call& call, TaskId task_id) = 0;
};

}  // namespace disttask::storage
