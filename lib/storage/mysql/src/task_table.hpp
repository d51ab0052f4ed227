#pragma once
#include "disttask/storage/run_tokens.hpp"
#include "disttask/storage/task_table.hpp"
#include "guarded_write.hpp"
#include "store_context.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace disttask::storage::mysql {

struct RunBatchRow;

/// TaskTable on a MySQL-compatible server. Any thread; holds no connection between calls. Reads stand in
/// task_table.cpp, writes of live runs in task_table_writes.cpp and, many at once, in task_table_batch.cpp, ends that
/// need a side row in task_table_attempts.cpp, rows without a live run in task_table_unrun.cpp.
class MySqlTaskTable final : public TaskTable {
 public:
  explicit MySqlTaskTable(StoreContext& context) : context_(context) {}

  std::vector<proto::TaskExecInfo> getTaskExecInfoByExecId(const Call& call, const ExecId& exec_id) override;
  std::vector<proto::Task> getTasksInStates(const Call& call, const std::vector<TaskState>& states) override;
  std::optional<proto::Task> getTaskById(const Call& call, TaskId id) override;
  std::optional<proto::TaskBase> getTaskBaseById(const Call& call, TaskId id) override;
  std::vector<proto::Subtask> getSubtasksByExecIdAndStepAndStates(
      const Call& call,
      const ExecId& exec_id,
      TaskId task_id,
      Step step,
      const SubtaskStates& states,
      const PickLimits& limits
  ) override;
  std::optional<std::string> getSubtaskMeta(const Call& call, SubtaskId id) override;
  std::optional<proto::Subtask> getFirstSubtaskInStates(
      const Call& call, const ExecId& exec_id, TaskId task_id, Step step, const SubtaskStates& states
  ) override;
  bool hasSubtasksInStates(
      const Call& call, const ExecId& exec_id, TaskId task_id, Step step, const SubtaskStates& states
  ) override;
  void initMeta(const Call& call, const ExecId& exec_id, const std::string& role, std::int32_t slots) override;
  void recoverMeta(const Call& call, const ExecId& exec_id, const std::string& role, std::int32_t slots) override;
  std::string getSubtaskCheckpoint(const Call& call, SubtaskId id) override;
  std::int32_t getSubtaskRetries(const Call& call, SubtaskId id) override;
  std::vector<SubtaskId> findLostRuns(const Call& call, const ExecId& exec_id, const std::vector<SubtaskId>& running)
      override;
  [[nodiscard]] proto::RunToken liveToken(SubtaskId id) const override { return tokens_.live(id); }
  bool mustRunAlone(const Call& call, SubtaskId id) override;

  TransitionOutcome startSubtask(
      const Call& call, const proto::SubtaskBase& subtask, const ExecId& exec_id, bool idempotent
  ) override;
  TransitionOutcome finishSubtask(
      const Call& call,
      const ExecId& exec_id,
      SubtaskId id,
      const std::string& meta,
      const std::optional<std::string>& summary
  ) override;
  std::vector<RunWriteResult> writeRuns(const Call& call, const ExecId& exec_id, const std::vector<RunWrite>& writes)
      override;
  TransitionOutcome updateSubtaskStateAndError(
      const Call& call, const ExecId& exec_id, SubtaskId id, SubtaskState state, const std::optional<Error>& error
  ) override;
  TransitionOutcome updateSubtaskSummary(
      const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& summary
  ) override;
  TransitionOutcome updateSubtaskCheckpoint(
      const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& checkpoint
  ) override;
  TransitionOutcome giveBackSubtask(const Call& call, const ExecId& exec_id, SubtaskId id) override;

  TransitionOutcome retrySubtaskLater(
      const Call& call,
      const ExecId& exec_id,
      SubtaskId id,
      const Error& error,
      runtime::Duration delay,
      std::int32_t& retries
  ) override;
  TransitionOutcome handBackSubtask(const Call& call, const ExecId& exec_id, SubtaskId id, const Error& error) override;

  TransitionOutcome failSubtask(const Call& call, const ExecId& exec_id, TaskId task_id, const Error& error) override;
  std::int64_t cancelSubtask(const Call& call, const ExecId& exec_id, TaskId task_id) override;
  std::int64_t pauseSubtasks(const Call& call, const ExecId& exec_id, TaskId task_id) override;
  std::int64_t runningSubtasksBack2Pending(const Call& call, const std::vector<proto::SubtaskBase>& subtasks) override;
  std::vector<std::pair<SubtaskId, OrphanOutcome>> takeOrphans(
      const Call& call, const ExecId& exec_id, TaskId task_id, std::int32_t max_abnormal_ends
  ) override;
  OrphanOutcome takeUnmarked(const Call& call, const proto::SubtaskBase& subtask, bool idempotent) override;

 private:
  /// A row of this node and task without a live run, as it was read.
  struct Unrun {
    SubtaskId id;
    SubtaskState state = SubtaskState::kRunning;
    proto::RunToken token;
    bool token_is_null = true;
  };
  /// How an orphan leaves `running`.
  enum class OrphanRule : std::uint8_t { kByToken, kAlwaysPending, kAlwaysFailed };

  std::vector<proto::Subtask> pick(
      const Call& call, const ExecId& exec_id, TaskId task_id, Step step, SubtaskState state, const PickLimits& limits
  );
  void writeMeta(
      const Call& call, const sqlclient::Sql& sql, const ExecId& exec_id, const std::string& role, std::int32_t slots
  );

  /// Returns a summary as these tables keep it.
  [[nodiscard]] std::string summaryFor(const std::string& summary) const;

  /// Writes these rows with one statement, again until each has its result; splits them when the store refuses one.
  void writeBatch(
      RetryPause& pause, const ExecId& exec_id, std::vector<RunBatchRow> rows, std::vector<RunWriteResult>& results
  );
  /// Reads the rows again and takes out those about which something can be said (design rule 10).
  void concludeBatch(
      const Call& call, const ExecId& exec_id, std::vector<RunBatchRow>& rows, std::vector<RunWriteResult>& results
  );
  void settle(const RunBatchRow& row, TransitionOutcome outcome, std::vector<RunWriteResult>& results);
  void fail(const RunBatchRow& row, const Error& error, std::vector<RunWriteResult>& results);

  /// What a row says about a start that matched nothing.
  static Verdict judgeStart(
      const ExecId& exec_id, proto::RunToken token, const StartedAs& started, const RowState& row
  );
  /// What a row says about an end to `target` that matched nothing; for another try `guard` becomes the token that the
  /// row shows.
  Verdict judgeEnd(
      const ExecId& exec_id, SubtaskId id, SubtaskState target, const RowState& row, proto::RunToken& guard
  ) const;

  TransitionOutcome writeStart(
      const Call& call, const ExecId& exec_id, SubtaskId id, proto::RunToken token, const StartedAs& started
  );
  /// Writes the start of a live run again, if its row is as it was before (a failover lost it); true: the row is
  /// running under our token.
  bool restoreStart(const Call& call, const ExecId& exec_id, SubtaskId id);
  /// Ends the live run of `id` by a write to `target`; `send` gets the token to guard with.
  TransitionOutcome endRun(
      const Call& call,
      std::string_view name,
      const ExecId& exec_id,
      SubtaskId id,
      SubtaskState target,
      const std::function<std::int64_t(Connection&, proto::RunToken)>& send
  );
  /// Gives the row of a live run back in a transaction in which `note` writes the side row; it learns whether an
  /// earlier try, whose commit was not confirmed, has done all that already.
  TransitionOutcome giveBackWith(
      const Call& call,
      std::string_view name,
      const ExecId& exec_id,
      SubtaskId id,
      const std::function<void(Connection&, TaskId, bool is_done)>& note
  );
  /// True if this process runs the row that was read.
  [[nodiscard]] bool isRunHere(SubtaskId id, const RowState& row) const { return tokens_.isLive(id, row.token); }

  /// True for a row that a live TiDB's own executor began: it writes no token.
  [[nodiscard]] bool isUnmarked(const Unrun& row) const {
    return context_.settings().shared_with_dxf && row.token == proto::RunToken();
  }
  /// Reads the row of `subtask` again; nothing when it is not running as it was read, or runs here.
  std::optional<Unrun> readUnrun(const Call& call, std::string_view name, const proto::SubtaskBase& subtask);
  std::vector<Unrun> findUnrunRunning(const Call& call, const ExecId& exec_id, TaskId task_id);
  std::optional<Unrun> findFirstPending(const Call& call, const ExecId& exec_id, TaskId task_id);
  TransitionOutcome endUnrun(
      const Call& call, const ExecId& exec_id, const Unrun& row, SubtaskState target, const std::optional<Error>& error
  );
  std::int64_t changePending(const Call& call, const ExecId& exec_id, TaskId task_id, SubtaskState target);
  OrphanOutcome releaseOrphan(
      const Call& call, const ExecId& exec_id, const Unrun& row, std::int32_t max_abnormal_ends, OrphanRule rule
  );

  StoreContext& context_;
  RunTokens tokens_;
};

}  // namespace disttask::storage::mysql
