#pragma once
#include "disttask/base/error.hpp"
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/proto/transition.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/storage/run_write.hpp"

#include <optional>
#include <string>
#include <vector>

namespace disttask::storage {

using proto::ExecId;
using proto::Step;
using proto::SubtaskId;
using proto::SubtaskState;
using proto::TaskId;
using proto::TaskState;
using proto::TransitionOutcome;
using runtime::Call;

using SubtaskStates = std::vector<SubtaskState>;

/// What a look for subtasks is content with.
struct PickLimits {
  PickLimits() = default;
  PickLimits(std::int32_t most_rows) : rows(most_rows) {}  // NOLINT(google-explicit-constructor): the common case
  std::int32_t rows = 0;                                   ///< above 0: at most so many of each state
  std::int32_t after_ordinal = 0;   ///< pending rows only: skip up to this ordinal, without walking over them
  std::int64_t max_meta_bytes = 0;  ///< above 0, pending rows only: larger metas are left out (left_out_bytes)
};

/// How a subtask row that nobody runs was found and what was done with it (design rule 8).
enum class OrphanOutcome : std::uint8_t {
  kGivenBack,  ///< idempotent, or never begun here: pending again
  kFailed,     ///< not idempotent: failed with the text of ErrNonIdempotentSubtask
  kLost,       ///< meanwhile changed by somebody else
  kUnmarked,   ///< left as it is: TiDB's own executor began it, so only its type knows (takeUnmarked)
};

/// The rows of tasks and subtasks as a node's executor needs them: the TaskTable of DXF's task executor package
/// (contract 2.1), stricter (contract 9, design rules 7-12).
///
/// Every method may be called by any thread and blocks for store round trips. Every method throws Exception: kCancelled
/// when the call's token is, kTimedOut at its deadline, a kStore… code for store failures. A query that did not run
/// always throws; an empty result means that the store said so. Each writing method is one conditional UPDATE, or one
/// transaction, and checks the number of matched rows; 0 is re-read by id before anything is concluded (design rule
/// 10).
///
/// The table keeps the run token of each subtask that this process started (`subtask id → token`), from before the
/// start is sent until its end is confirmed, and puts it into each write of a running row. Ids without a live token
/// count as `not ours`: kLost.
///
/// So each started run must be ended by exactly one of finishSubtask, updateSubtaskStateAndError, giveBackSubtask,
/// retrySubtaskLater or handBackSubtask, also when its row is known to be lost (giveBackSubtask then finds kLost and
/// forgets the token). An end that throws leaves the run live: call again. Only giveBackSubtask forgets the run even
/// when it throws: the row is then an orphan, which takeOrphans gives back uncounted.
class TaskTable {
 public:
  virtual ~TaskTable() = default;

  /// Returns the tasks in running, reverting or pausing that have pending or running subtasks on `exec_id`, in rank
  /// order.
  virtual std::vector<proto::TaskExecInfo> getTaskExecInfoByExecId(const Call& call, const ExecId& exec_id) = 0;
  /// Returns whole tasks in these states, in rank order; no states: empty without a query.
  virtual std::vector<proto::Task> getTasksInStates(const Call& call, const std::vector<TaskState>& states) = 0;
  /// Returns the task from the live table; nothing when it is not there (also when it has gone to history).
  virtual std::optional<proto::Task> getTaskById(const Call& call, TaskId id) = 0;
  /// The same without meta and error.
  virtual std::optional<proto::TaskBase> getTaskBaseById(const Call& call, TaskId id) = 0;
  /// Returns this node's subtasks of a step in these states, by ordinal. Pending rows whose back-off time has not come
  /// (design rule 9), or that this node has handed back, are left out.
  virtual std::vector<proto::Subtask> getSubtasksByExecIdAndStepAndStates(
      const Call& call,
      const ExecId& exec_id,
      TaskId task_id,
      Step step,
      const SubtaskStates& states,
      const PickLimits& limits = {}
  ) = 0;
  /// Returns the meta of a subtask; nothing when the row is gone.
  virtual std::optional<std::string> getSubtaskMeta(const Call& call, SubtaskId id) = 0;
  /// Returns the first of them by ordinal, running before pending; nothing when there is none.
  virtual std::optional<proto::Subtask> getFirstSubtaskInStates(
      const Call& call, const ExecId& exec_id, TaskId task_id, Step step, const SubtaskStates& states
  ) = 0;
  /// True if this node has a subtask of that step in one of these states, back-off or not.
  virtual bool hasSubtasksInStates(
      const Call& call, const ExecId& exec_id, TaskId task_id, Step step, const SubtaskStates& states
  ) = 0;

  /// Writes this node's row of dist_framework_meta: host, role, cpu_count; an existing row gets role and cpu_count.
  virtual void initMeta(const Call& call, const ExecId& exec_id, const std::string& role, std::int32_t slots) = 0;
  /// Puts a missing row back; an existing row keeps its role (somebody may have set it) and gets cpu_count.
  virtual void recoverMeta(const Call& call, const ExecId& exec_id, const std::string& role, std::int32_t slots) = 0;

  /// pending → running with a fresh run token. `subtask` as read: id, task, step and ordinal must still match.
  /// kApplied: run it; kLost: it is not ours any more (DXF's ErrSubtaskNotFound).
  virtual TransitionOutcome startSubtask(
      const Call& call, const proto::SubtaskBase& subtask, const ExecId& exec_id, bool idempotent
  ) = 0;
  /// running → succeed with this meta and, when given, this final summary (JSON). Guarded by the run token. A value
  /// that the store refuses (too large, not JSON) would be refused for ever: kStoreContent, and the run is still live,
  /// so that it can be ended as failed.
  virtual TransitionOutcome finishSubtask(
      const Call& call,
      const ExecId& exec_id,
      SubtaskId id,
      const std::string& meta,
      const std::optional<std::string>& summary
  ) = 0;
  /// Many starts and finishes with as few statements as possible: each does exactly what startSubtask or finishSubtask
  /// would do, and none depends on another; at most one write per id. Returns their results in the same order; a write
  /// that fails does not fail the others. Writes that met a lock come back unsent (shouldBeSentAlone), so that one
  /// locked row does not hold up the rest. Throws only when nothing was sent because the call is over already.
  virtual std::vector<RunWriteResult> writeRuns(
      const Call& call, const ExecId& exec_id, const std::vector<RunWrite>& writes
  ) = 0;
  /// running → `state` (failed, canceled or paused) with the error's text (nothing: NULL), state_update_time and for
  /// done states end_time.
  virtual TransitionOutcome updateSubtaskStateAndError(
      const Call& call, const ExecId& exec_id, SubtaskId id, SubtaskState state, const std::optional<Error>& error
  ) = 0;
  /// Fails one subtask of this task on this node: for failures that belong to none (contract 4.9). It takes the pending
  /// one of lowest ordinal, or a running one that no run of this process holds; start_time is set only if it was NULL.
  /// kMissing: there is none.
  virtual TransitionOutcome failSubtask(
      const Call& call, const ExecId& exec_id, TaskId task_id, const Error& error
  ) = 0;
  /// Cancels this node's running subtasks of the task where no run of this process is live, and in schema `mysql` the
  /// pending ones too (design rule 11). Returns how many rows changed.
  virtual std::int64_t cancelSubtask(const Call& call, const ExecId& exec_id, TaskId task_id) = 0;
  /// The same to paused; a row that may not run twice becomes failed instead (design rule 12). In schema `mysql` one
  /// without a run token is paused too, as TiDB's own executor does.
  virtual std::int64_t pauseSubtasks(const Call& call, const ExecId& exec_id, TaskId task_id) = 0;
  /// running → pending for rows that this node does not run (surplus rows of contract 4.8), guarded by the token as
  /// read. Returns how many.
  virtual std::int64_t runningSubtasksBack2Pending(
      const Call& call, const std::vector<proto::SubtaskBase>& subtasks
  ) = 0;

  /// Writes the summary (JSON) of a running subtask, guarded by its run token.
  virtual TransitionOutcome updateSubtaskSummary(
      const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& summary
  ) = 0;
  /// Writes the checkpoint of a running subtask, guarded; after an unknown outcome the next write also changes the
  /// token (design rule 7).
  virtual TransitionOutcome updateSubtaskCheckpoint(
      const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& checkpoint
  ) = 0;
  /// Returns the checkpoint; empty when never written.
  virtual std::string getSubtaskCheckpoint(const Call& call, SubtaskId id) = 0;

  // --- beyond DXF ---

  /// running → pending after the run returned without a result (stop, preemption): not counted as an attempt.
  virtual TransitionOutcome giveBackSubtask(const Call& call, const ExecId& exec_id, SubtaskId id) = 0;
  /// running → pending, to be tried again after `delay`; counts a retry and keeps the error, in the same transaction
  /// (design rule 9). Returns the number of retries so far, this one included, in `retries`.
  virtual TransitionOutcome retrySubtaskLater(
      const Call& call,
      const ExecId& exec_id,
      SubtaskId id,
      const Error& error,
      runtime::Duration delay,
      std::int32_t& retries
  ) = 0;
  /// running → pending for another node: this node cannot run it (a file is missing here, say). Kept in the side row of
  /// attempts with the error, so that this node does not pick it again and the owner moves it, or fails it when no
  /// eligible node is left.
  virtual TransitionOutcome handBackSubtask(
      const Call& call, const ExecId& exec_id, SubtaskId id, const Error& error
  ) = 0;
  /// Returns how often this subtask was retried.
  virtual std::int32_t getSubtaskRetries(const Call& call, SubtaskId id) = 0;
  /// Takes running rows of this node and task whose token belongs to no live run here out of `running` (design rule 8),
  /// counting an abnormal end once per token (rule 9); at `max_abnormal_ends` ends when alone the row fails with "ended
  /// its node N times". Returns ids and outcomes. In schema `mysql` rows without a run token are left: kUnmarked.
  virtual std::vector<std::pair<SubtaskId, OrphanOutcome>> takeOrphans(
      const Call& call, const ExecId& exec_id, TaskId task_id, std::int32_t max_abnormal_ends
  ) = 0;
  /// Takes a running row without a run token, which TiDB's own executor began, out of `running` as that one would
  /// (contract 4.7 and 4.8): back to pending, or failed when its type says that it is not `idempotent`. Counts no
  /// abnormal end: TiDB also moves running rows of nodes that live. Guarded by the row as read.
  virtual OrphanOutcome takeUnmarked(const Call& call, const proto::SubtaskBase& subtask, bool idempotent) = 0;
  /// Returns the ids of these live runs whose row is not `running` with our token any more: moved, paused or canceled
  /// by somebody else. A row that is pending and this node's again, just as it was read before its start (a failover of
  /// the store lost the start), is started again with the same token and counts as kept (design rule 16): so ask only
  /// while the lease holds.
  virtual std::vector<SubtaskId> findLostRuns(
      const Call& call, const ExecId& exec_id, const std::vector<SubtaskId>& running
  ) = 0;
  /// Returns the live run token of a subtask; 0 when this process runs it not.
  [[nodiscard]] virtual proto::RunToken liveToken(SubtaskId id) const = 0;
  /// True if the second abnormal end made this subtask one that runs alone on its node (design rule 9).
  virtual bool mustRunAlone(const Call& call, SubtaskId id) = 0;
};

}  // namespace disttask::storage
