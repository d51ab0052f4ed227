#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/proto/task_event.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/storage/plan_table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace disttask::storage {

using proto::TaskState;

/// Who holds the scheduler role (design rule 19): the owner row joined with its lease row.
struct Owner {
  ExecId exec_id;
  proto::Life life;  ///< 0 = nobody
  std::int64_t renewals = 0;
  std::int64_t term = 0;  ///< counts takeovers; for display only
  std::string address;    ///< host:port for nudges, from the node row of exec_id
  std::int64_t nudge_token = 0;
};

/// Subtask counts of one step, by state.
struct SubtaskCounts {
  std::int64_t pending = 0, running = 0, succeed = 0, failed = 0, canceled = 0, paused = 0;
  [[nodiscard]] std::int64_t unfinished() const noexcept { return pending + running + paused; }
  [[nodiscard]] std::int64_t all() const noexcept { return unfinished() + succeed + failed + canceled; }
};

/// Which kinds of rows a step has: one look at the index each, however many rows there are.
struct SubtaskPresence {
  bool pending = false, running = false, paused = false;
  bool failed = false;  ///< failed or canceled
  [[nodiscard]] bool unfinished() const noexcept { return pending || running || paused; }
};

/// What the owner wants to know of a task in each round.
struct TaskLook {
  std::vector<Plan> plans;
  SubtaskPresence rows;              ///< of the task's step
  bool may_have_handed_back = true;  ///< false: no node has handed any of its subtasks back
};

/// A subtask moved to another node.
struct SubtaskMove {
  proto::SubtaskId id;
  ExecId from;
  ExecId to;
};

/// A pending subtask that nodes have handed back because they cannot run it.
struct HandedBack {
  proto::SubtaskBase subtask;
  std::vector<ExecId> by;  ///< these nodes cannot
  std::string error;       ///< what the last one said
};

/// One change of a task's state by the owner: `from` and `event` as kTaskTransitions has them.
struct TaskChange {
  TaskState from;
  proto::TaskEvent event;
  std::optional<std::string> error{};  ///< plain text for the task's error column; nothing: left as it is
  std::string note{};                  ///< why, for the event alone, where `error` does not say it
  /// An end of a task whose type has a clean-up hook: the node that shall run it, empty when there is none now.
  std::optional<ExecId> clean_up_by{};
};

/// The clean-up of an ended task that has not been done yet.
struct OpenCleanUp {
  proto::TaskBase task;
  Plan plan;
};

/// What the owner of the scheduler role reads and writes. Same threading and failure contract as TaskTable.
///
/// Each write is a transaction that begins with `update owner set seq=seq+1 where id=1 and life=?`; when that matches
/// no row nothing is written and Exception(kLost) is thrown: the role is gone. At most 1,000 rows or 1 MiB each.
class SchedulerTable {
 public:
  virtual ~SchedulerTable() = default;

  virtual Owner getOwner(const Call& call) = 0;
  /// Takes the role over where life and renewals are as observed (renewals are read again under the lock). Returns the
  /// new life; nothing: moved.
  virtual std::optional<proto::Life> takeOwnership(const Call& call, const ExecId& exec_id, const Owner& observed) = 0;
  /// Renews the owner's lease; false: the role is gone.
  virtual bool renewOwnership(const Call& call, proto::Life life) = 0;
  /// Gives the role up at a graceful stop; false: it was gone.
  virtual bool releaseOwnership(const Call& call, proto::Life life) = 0;

  /// Returns unfinished tasks in rank order: of those that are pending the first `max_pending` and those whose first
  /// step is being planned, of the others all.
  virtual std::vector<proto::TaskBase> getUnfinishedTasks(const Call& call, std::int32_t max_pending) = 0;
  /// Returns pending tasks that task `after` outranks, in rank order, at most `limit`; none when `after` is not among
  /// the tasks any more.
  virtual std::vector<proto::TaskBase> getPendingTasksBehind(const Call& call, TaskId after, std::int32_t limit) = 0;
  /// Reads what `getPlans` and `probeSubtasks` would of many tasks, in a few statements: first all plans, then the
  /// rows, so that rows which come in between belong to a plan that was not complete yet.
  virtual std::map<TaskId, TaskLook> lookAtTasks(const Call& call, const std::vector<proto::TaskBase>& tasks) = 0;
  virtual SubtaskCounts countSubtasks(const Call& call, TaskId task_id, Step step) = 0;
  /// Says which kinds of rows the step has, without counting; for loops.
  virtual SubtaskPresence probeSubtasks(const Call& call, TaskId task_id, Step step) = 0;
  /// Returns how many rows of the task, all steps, are pending or running.
  virtual std::int64_t countActiveSubtasks(const Call& call, TaskId task_id) = 0;
  /// True if one of the step's subtasks failed or was canceled; `error` gets the first error's text.
  virtual bool findFailedSubtask(const Call& call, TaskId task_id, Step step, std::string& error) = 0;
  virtual std::optional<Plan> getPlan(const Call& call, TaskId task_id, PlanKind kind, Step after_step) = 0;
  /// Returns all plans of a task, without their cursors.
  virtual std::vector<Plan> getPlans(const Call& call, TaskId task_id) = 0;

  /// Makes a plan row for this planner with a fresh token; nothing happens if there is one.
  virtual void createPlan(const Call& call, proto::Life owner, const Plan& plan) = 0;
  /// Gives an incomplete plan to another planner with a fresh token.
  virtual void assignPlan(const Call& call, proto::Life owner, const Plan& plan, const ExecId& planner) = 0;
  /// One event of a task, with its columns and a row of its events; false: the task is not in `from` any more. Throws
  /// kInvalidArgument for what the table of transitions does not allow to an owner, and for kModified, which
  /// finishModification is for.
  virtual bool changeTask(const Call& call, proto::Life owner, TaskId id, const TaskChange& change) = 0;
  /// Returns clean-ups that are neither done nor failed, of the tasks with the lowest ids above `after`, at most
  /// `limit`.
  virtual std::vector<OpenCleanUp> findOpenCleanUps(const Call& call, TaskId after, std::int32_t limit) = 0;
  /// Cancels the pending and paused rows of a reverting task, at most `limit`; returns how many (design rule 11).
  virtual std::int64_t cancelPendingSubtasks(const Call& call, proto::Life owner, TaskId id, std::int32_t limit) = 0;
  /// Pauses the pending rows of a pausing task, at most `limit`; returns how many (design rule 11).
  virtual std::int64_t pausePendingSubtasks(const Call& call, proto::Life owner, TaskId id, std::int32_t limit) = 0;
  /// Turns paused rows of a task in `state` (resuming or running) to pending, at most `limit`; returns how many. In a
  /// running one, because a node may pause a row just after the task went on again (design rule 11).
  virtual std::int64_t resumePausedSubtasks(
      const Call& call, proto::Life owner, TaskId id, TaskState state, std::int32_t limit
  ) = 0;
  /// Reads `modify_params` of a modifying task; nothing: it is not modifying. Text that is no such object, as somebody
  /// else may write it, gives a change of nothing and the state running.
  virtual std::optional<proto::ModifyParams> getModification(const Call& call, TaskId id) = 0;
  /// Gives unfinished rows of a modifying task's step new slots, those of the lowest ordinals above `after`, at most
  /// `limit`; returns the last ordinal looked at, or nothing when there are no more.
  virtual std::optional<std::int32_t> modifySubtaskSlots(
      const Call& call, proto::Life owner, TaskId id, std::int32_t slots, std::int32_t after, std::int32_t limit
  ) = 0;
  /// modifying → the state before, with the change in the task's columns and no modify_params; false: it is not
  /// modifying any more. Where meta, slots or max_nodes change, the plan after the task's step forgets which step was
  /// chosen, or that there is none, under a new token, unless it has failed.
  virtual bool finishModification(
      const Call& call, proto::Life owner, TaskId id, const proto::ModifyParams& params
  ) = 0;
  /// Takes running rows of evicted or stopped nodes out of `running`, with the token seen, at most `limit`: pending or
  /// failed by bit 0 of the token, canceled or paused if the task is reverting or pausing; counts abnormal ends (design
  /// rules 9, 11). Returns how many.
  virtual std::int64_t releaseRowsOfDeadNode(
      const Call& call, proto::Life owner, const ExecId& exec_id, std::int32_t max_abnormal_ends, std::int32_t limit
  ) = 0;
  /// Returns pending subtasks (base columns) of a task, at most `limit`, by id.
  virtual std::vector<proto::SubtaskBase> getPendingSubtasks(const Call& call, TaskId task_id, std::int32_t limit) = 0;
  /// Returns how many pending and running rows of a task each node has, and each of `strays`: exec id → {pending,
  /// running}.
  virtual std::vector<std::pair<ExecId, SubtaskCounts>> countSubtasksByNode(
      const Call& call, TaskId task_id, const std::vector<ExecId>& strays
  ) = 0;
  /// Returns pending subtasks of one node and task, highest ordinal first, at most `limit`.
  virtual std::vector<proto::SubtaskBase> getPendingSubtasksOfNode(
      const Call& call, TaskId task_id, const ExecId& exec_id, std::int32_t limit
  ) = 0;
  /// Returns nodes that hold running rows but have life 0.
  virtual std::vector<ExecId> findDeadHolders(const Call& call) = 0;
  /// Returns exec ids that hold rows and have no node row. Sends a query for each exec id that has rows: not for each
  /// round.
  virtual std::vector<ExecId> findStrays(const Call& call) = 0;
  /// Returns pending subtasks of a task that their present node has handed back, at most `limit`.
  virtual std::vector<HandedBack> getHandedBack(const Call& call, TaskId task_id, std::int32_t limit) = 0;
  /// pending → failed with this text: no node is left that could run it.
  virtual bool failPendingSubtask(
      const Call& call, proto::Life owner, proto::SubtaskId id, const std::string& error
  ) = 0;
  /// Gives pending rows a new exec id, each `where state='pending' and exec_id=from`; returns how many moved.
  virtual std::int64_t movePendingSubtasks(
      const Call& call, proto::Life owner, const std::vector<SubtaskMove>& moves
  ) = 0;
};

}  // namespace disttask::storage
