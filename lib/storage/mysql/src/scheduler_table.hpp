#pragma once
#include "disttask/storage/scheduler_table.hpp"
#include "scheduler_rows.hpp"
#include "store_context.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace disttask::storage::mysql {

/// SchedulerTable on the server; its doc comments are the contract. Reads and task rows are in scheduler_table.cpp,
/// writes of subtask rows in scheduler_table_subtasks.cpp, what modifies a
/// task in scheduler_table_modify.cpp.
class MysqlSchedulerTable final : public SchedulerTable {
 public:
  explicit MysqlSchedulerTable(StoreContext& context) : context_(context) {}

  Owner getOwner(const Call& call) override;
  std::optional<proto::Life> takeOwnership(const Call& call, const ExecId& exec_id, const Owner& observed) override;
  bool renewOwnership(const Call& call, proto::Life life) override;
  bool releaseOwnership(const Call& call, proto::Life life) override;

  std::vector<proto::TaskBase> getUnfinishedTasks(const Call& call, std::int32_t max_pending) override;
  std::vector<proto::TaskBase> getPendingTasksBehind(const Call& call, TaskId after, std::int32_t limit) override;
  std::map<TaskId, TaskLook> lookAtTasks(const Call& call, const std::vector<proto::TaskBase>& tasks) override;
  SubtaskCounts countSubtasks(const Call& call, TaskId task_id, Step step) override;
  SubtaskPresence probeSubtasks(const Call& call, TaskId task_id, Step step) override;
  std::int64_t countActiveSubtasks(const Call& call, TaskId task_id) override;
  bool findFailedSubtask(const Call& call, TaskId task_id, Step step, std::string& error) override;
  std::optional<Plan> getPlan(const Call& call, TaskId task_id, PlanKind kind, Step after_step) override;
  std::vector<Plan> getPlans(const Call& call, TaskId task_id) override;
  std::vector<proto::SubtaskBase> getPendingSubtasks(const Call& call, TaskId task_id, std::int32_t limit) override;
  std::vector<std::pair<ExecId, SubtaskCounts>> countSubtasksByNode(
      const Call& call, TaskId task_id, const std::vector<ExecId>& strays
  ) override;
  std::vector<proto::SubtaskBase> getPendingSubtasksOfNode(
      const Call& call, TaskId task_id, const ExecId& exec_id, std::int32_t limit
  ) override;
  std::vector<ExecId> findDeadHolders(const Call& call) override;
  std::vector<ExecId> findStrays(const Call& call) override;
  std::vector<HandedBack> getHandedBack(const Call& call, TaskId task_id, std::int32_t limit) override;

  void createPlan(const Call& call, proto::Life owner, const Plan& plan) override;
  void assignPlan(const Call& call, proto::Life owner, const Plan& plan, const ExecId& planner) override;
  bool changeTask(const Call& call, proto::Life owner, TaskId id, const TaskChange& change) override;
  std::vector<OpenCleanUp> findOpenCleanUps(const Call& call, TaskId after, std::int32_t limit) override;

  std::int64_t cancelPendingSubtasks(const Call& call, proto::Life owner, TaskId id, std::int32_t limit) override;
  std::int64_t pausePendingSubtasks(const Call& call, proto::Life owner, TaskId id, std::int32_t limit) override;
  std::int64_t resumePausedSubtasks(const Call& call, proto::Life owner, TaskId id, TaskState state, std::int32_t limit)
      override;
  std::optional<proto::ModifyParams> getModification(const Call& call, TaskId id) override;
  std::optional<std::int32_t> modifySubtaskSlots(
      const Call& call, proto::Life owner, TaskId id, std::int32_t slots, std::int32_t after, std::int32_t limit
  ) override;
  bool finishModification(const Call& call, proto::Life owner, TaskId id, const proto::ModifyParams& params) override;
  std::int64_t releaseRowsOfDeadNode(
      const Call& call, proto::Life owner, const ExecId& exec_id, std::int32_t max_abnormal_ends, std::int32_t limit
  ) override;
  bool failPendingSubtask(const Call& call, proto::Life owner, proto::SubtaskId id, const std::string& error) override;
  std::int64_t movePendingSubtasks(const Call& call, proto::Life owner, const std::vector<SubtaskMove>& moves) override;

 private:
  /// Throws kLost unless the role is still this life's. First statement of every transaction of the owner; it also
  /// keeps two of them apart, so after an unanswered commit the next try waits here until the first one is decided.
  static void fence(Connection& connection, proto::Life owner);

  /// Runs a body in a transaction that begins with the fence. After a commit without an answer it runs once more: each
  /// body changes only rows that still show what it expects, so a second run finds nothing left to do.
  template <typename F>
  auto asOwner(const Call& call, proto::Life owner, std::string_view name, F body) {
    const auto fenced = [&](Connection& connection) {
      fence(connection, owner);
      return body(connection);
    };
    try {
      return context_.inTransaction(call, name, fenced);
    } catch (const Exception& e) {
      if (e.error().reaction() != Reaction::kReconnect) throw;
    }
    return context_.inTransaction(call, name, fenced);
  }

  StoreContext& context_;
};

}  // namespace disttask::storage::mysql
