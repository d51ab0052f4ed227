#pragma once
#include "disttask/storage/memory/memory_rows.hpp"
#include "disttask/storage/run_tokens.hpp"
#include "disttask/storage/task_table.hpp"

namespace disttask::storage {

/// TaskTable on MemoryRows, with the semantics that TaskTable documents; each object stands for one process, with run
/// tokens of its own. The rows must outlive it. `shared_with_dxf` = as in schema `mysql`: this node pauses and cancels
/// its pending rows too (design rule 11).
class MemoryTaskTable : public TaskTable {
 public:
  explicit MemoryTaskTable(MemoryRows& rows, bool shared_with_dxf = false)
      : rows_(rows), shared_with_dxf_(shared_with_dxf) {}

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
      const PickLimits& limits = {}
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
  /// Each write is a call of startSubtask or finishSubtask: faults, hooks and traces name those.
  std::vector<RunWriteResult> writeRuns(const Call& call, const ExecId& exec_id, const std::vector<RunWrite>& writes)
      override;
  TransitionOutcome updateSubtaskStateAndError(
      const Call& call, const ExecId& exec_id, SubtaskId id, SubtaskState state, const std::optional<Error>& error
  ) override;
  TransitionOutcome failSubtask(const Call& call, const ExecId& exec_id, TaskId task_id, const Error& error) override;
  std::int64_t cancelSubtask(const Call& call, const ExecId& exec_id, TaskId task_id) override;
  std::int64_t pauseSubtasks(const Call& call, const ExecId& exec_id, TaskId task_id) override;
  std::int64_t runningSubtasksBack2Pending(const Call& call, const std::vector<proto::SubtaskBase>& subtasks) override;
  TransitionOutcome updateSubtaskSummary(
      const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& summary
  ) override;
  TransitionOutcome updateSubtaskCheckpoint(
      const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& checkpoint
  ) override;
  std::string getSubtaskCheckpoint(const Call& call, SubtaskId id) override;
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
  std::int32_t getSubtaskRetries(const Call& call, SubtaskId id) override;
  std::vector<std::pair<SubtaskId, OrphanOutcome>> takeOrphans(
      const Call& call, const ExecId& exec_id, TaskId task_id, std::int32_t max_abnormal_ends
  ) override;
  OrphanOutcome takeUnmarked(const Call& call, const proto::SubtaskBase& subtask, bool idempotent) override;
  std::vector<SubtaskId> findLostRuns(const Call& call, const ExecId& exec_id, const std::vector<SubtaskId>& running)
      override;
  [[nodiscard]] proto::RunToken liveToken(SubtaskId id) const override;
  bool mustRunAlone(const Call& call, SubtaskId id) override;

 private:
  using Data = MemoryRows::Data;
  using Change = std::function<void(Data&, proto::Subtask&)>;
  // running -> `target` guarded by the live token; `change` does the rest of the row. Ends the run unless it throws.
  TransitionOutcome endRun(
      const Call& call,
      std::string_view method,
      const ExecId& exec_id,
      SubtaskId id,
      SubtaskState target,
      const Change& change
  );
  // Writes a column of a running row, guarded by the live token.
  TransitionOutcome writeRunning(
      const Call& call, std::string_view method, const ExecId& exec_id, SubtaskId id, const Change& change
  );
  // True for a row that a live TiDB's own executor began: it writes no token.
  [[nodiscard]] bool isUnmarked(const proto::Subtask& row) const {
    return shared_with_dxf_ && row.token == proto::RunToken();
  }
  std::int64_t takeRest(
      const Call& call, std::string_view method, const ExecId& exec_id, TaskId task_id, SubtaskState target
  );

  MemoryRows& rows_;
  const bool shared_with_dxf_;
  RunTokens tokens_;
};

}  // namespace disttask::storage
