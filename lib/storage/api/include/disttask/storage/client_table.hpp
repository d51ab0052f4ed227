#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <optional>
#include <string>
#include <vector>

namespace disttask::storage {

/// What a submitter asks for.
struct TaskRequest {
  std::string key;  ///< unique for ever
  std::string type;
  std::string meta;  ///< JSON
  std::int32_t slots = 1;
  std::int32_t priority = proto::kDefaultPriority;
  std::int32_t max_nodes = 0;
  std::string target_scope = "disttask";
  proto::ExtraParams extra;
};

struct SubmitResult {
  TaskId id;
  bool existed = false;  ///< the key was used before: `id` is the old task, nothing was submitted
};

/// A filter for lists of tasks.
struct TaskFilter {
  std::vector<TaskState> states;  ///< empty = all
  std::string type;               ///< empty = all
  bool with_history = false;
  bool without_live = false;  ///< with `with_history`: history only
  std::int32_t limit = 100;
};

/// One step of a task as people see it.
struct StepProgress {
  Step step;
  SubtaskCounts counts;
  bool plan_complete = false;
  proto::SubtaskSummary sum;  ///< over all subtasks of the step
};

/// What a person decides about a task that awaits its resolution.
enum class Resolution : std::uint8_t {
  kRetry,  ///< its failed subtasks run again
  kSkip,   ///< its failed subtasks count as succeeded, with a note in `error`
  kFail,   ///< it reverts
};

/// What became of a task or node, and by whom. Kept for a bounded number of changes.
struct EventRecord {
  std::int64_t seq = 0;         ///< counts from 1 per task or node
  std::int64_t at_ms = 0;       ///< since the epoch by the store
  std::string event;            ///< such as "pause": toString(proto::TaskEvent), or a name of docs/state-machines.md
  std::int64_t subtask_id = 0;  ///< when it is about one subtask
  std::string from;             ///< state before; empty where there is none
  std::string to;
  std::int64_t count = 0;  ///< of subtasks; 0 when it is about none
  std::string actor_kind;  ///< "submitter", "owner", "planner", "node" or "observer" (of a lease)
  std::string actor;       ///< a submitter's or observer's session as user@host, else an exec id
  std::string reason;
};

/// What disttaskctl and submitters read and write. Same threading and failure contract as TaskTable.
class ClientTable {
 public:
  virtual ~ClientTable() = default;

  /// Inserts the task (design rule 22): insert, then look in history in the same transaction; a used key gives the old
  /// id and existed = true. After an unknown commit the submit token in the row tells whether the insert is ours.
  /// Throws kInvalidArgument: key or type empty or above 256 bytes, bad scope, slots below 1, meta not JSON;
  /// kPrecondition: more slots than the largest known node has (no node yet is no error).
  virtual SubmitResult submitTask(const Call& call, const TaskRequest& request) = 0;
  /// Finds a task, live first, then history.
  virtual std::optional<proto::Task> findTask(const Call& call, TaskId id) = 0;
  virtual std::optional<proto::Task> findTaskByKey(const Call& call, const std::string& key) = 0;
  /// Newest first, at most `limit`, live and (when asked) history; `meta` is left empty.
  virtual std::vector<proto::Task> listTasks(const Call& call, const TaskFilter& filter) = 0;
  /// Returns the steps that have subtasks, in order of planning.
  virtual std::vector<StepProgress> getProgress(const Call& call, TaskId id) = 0;
  /// Returns subtasks of a task (live and history), by step and ordinal; at most `limit`.
  virtual std::vector<proto::Subtask> listSubtasks(
      const Call& call, TaskId id, std::optional<Step> step, std::int32_t limit
  ) = 0;
  /// Finds a subtask of any task, live first, then history.
  virtual std::optional<proto::Subtask> findSubtask(const Call& call, proto::SubtaskId id) = 0;
  /// Cancels one pending or paused subtask whose task is neither done nor on the way to it; what the task does then is
  /// what it does when a subtask fails. False: it is canceled already. Throws kPrecondition, naming the state, when it
  /// runs or has ended or its task does not allow it, and kNotFound.
  virtual bool cancelSubtask(const Call& call, proto::SubtaskId id) = 0;
  /// Asks for cancellation from every unfinished state; returns false when the task is done or cancelling already.
  /// Throws kNotFound for an unknown id.
  virtual bool cancelTask(const Call& call, TaskId id) = 0;
  /// Asks a pending or running task to pause: runs are interrupted where they may run twice, nothing new begins. False:
  /// it is pausing or paused already. Throws kPrecondition, naming the state, from any other state, and kNotFound.
  virtual bool pauseTask(const Call& call, TaskId id) = 0;
  /// Asks a paused task to go on; false: it is resuming or running already. Throws as pauseTask.
  virtual bool resumeTask(const Call& call, TaskId id) = 0;
  /// Asks for a change of a pending, running or paused task (contract 5.6); the owner applies it and the state is the
  /// old one again. Throws kInvalidArgument: nothing to change, a number below 1, meta not JSON; kPrecondition: slots
  /// above the largest known node's, any other state; kNotFound.
  virtual void modifyTask(const Call& call, TaskId id, const proto::TaskModification& change) = 0;
  /// Waits until the owner has applied what was asked of the task and every live node has it, too (design rule 25):
  /// none runs the task with the values before. Nodes that die meanwhile are left out, their runs are cancelled. Polls
  /// every 100 ms, on the caller's thread. Throws kTimedOut when the call's deadline (30 s without one) passes, naming
  /// what is missing; kCancelled; kPrecondition when the task is cancelled or reverted; kNotFound.
  virtual void waitForModification(const Call& call, TaskId id) = 0;
  /// Decides about a task that awaits its resolution: changes the failed and canceled subtasks of its step, some at a
  /// time, then the task. Returns how many subtasks were changed. May be repeated, also as another resolution, when it
  /// threw on the way. Throws kPrecondition, naming the state, from any other state, and kNotFound.
  virtual std::int64_t resolveTask(const Call& call, TaskId id, Resolution resolution) = 0;
  /// Returns the last events of a task, oldest first, at most `limit`; also of one in history.
  virtual std::vector<EventRecord> listEvents(const Call& call, TaskId id, std::int32_t limit) = 0;
  /// The same of a node.
  virtual std::vector<EventRecord> listNodeEvents(const Call& call, const ExecId& exec_id, std::int32_t limit) = 0;
};

/// Finds a task by what people call it: its key, or `id:42`. Throws kInvalidArgument for what is no id behind `id:`,
/// and kNotFound, naming it, when there is no such task, live or in history; store failures pass through.
[[nodiscard]] proto::Task findNamedTask(ClientTable& table, const Call& call, const std::string& name);

}  // namespace disttask::storage
