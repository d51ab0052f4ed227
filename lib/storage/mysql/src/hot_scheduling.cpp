#include "statements/plan.hpp"
#include "statements/reasons.hpp"
#include "statements/scheduler.hpp"

namespace disttask::storage::mysql {

namespace {

using sqlclient::Sql;
using sqlclient::Values;

HotStatement hot(const Sql& sql, Values values, const char* table, const char* index, bool sorts = false) {
  return {sql.name, sql.text, std::move(values), table, index, sorts, {}};
}

}  // namespace

std::vector<HotStatement> hotSchedulerStatements(const HotSample& sample) {
  const auto& key = sample.task_key;
  const auto step = sample.step;
  Values probe;
  for (int i = 0; i < sql::kNumStepProbes; ++i) {
    probe.emplace_back(key);
    probe.emplace_back(step);
  }
  std::vector<HotStatement> statements;
  for (const auto* alias : {"f", "c", "p", "r", "z"})
    statements.push_back(hot(sql::kProbeStep, probe, alias, "ix_task"));
  Values probes;
  for (std::size_t i = 0; i < sql::kStepsPerProbe; ++i) {
    probes.emplace_back(sample.task_id);
    probes.insert(probes.end(), probe.begin(), probe.end());
    probes.emplace_back(sample.task_id);
  }
  statements.push_back({"scheduler.probe_steps", sql::probeStepsText(), probes, "f", "ix_task"});
  statements.push_back({"scheduler.probe_steps", sql::probeStepsText(), probes, "a", "ix_task"});
  statements.push_back({"scheduler.plans_of_unfinished", sql::plansOfUnfinishedText(), {}, "u", "PRIMARY"});
  statements.back().scanned = "p";
  for (const auto* alias : {"p", "r"}) {
    statements.push_back(hot(sql::kCountByNode, {key, key}, alias, "ix_exec"));
    statements.back().scanned = "n";
  }
  statements.push_back(hot(sql::kOpenCleanUps, {std::int64_t{0}, std::int64_t{100}}, "p", "ix_kind"));
  statements.push_back(hot(sql::kDeadHolders, {}, "s", "ix_exec"));
  statements.back().scanned = "n";
  statements.push_back(hot(sql::kNextHolder, {sample.exec_id}, "s", "ix_exec"));
  statements.push_back(hot(sql::kCountOfStray, {sample.exec_id, key, sample.exec_id, key}, "p", "ix_exec"));
  statements.push_back(hot(sql::kPendingOfNode, {sample.exec_id, key, std::int64_t{1000}}, "s", "ix_exec"));
  statements.push_back(hot(sql::kHandedBack, {sample.task_id, std::int64_t{1000}}, "s", "PRIMARY"));
  statements.push_back(hot(sql::kRunningOfNode, {sample.exec_id, std::int64_t{64}}, "s", "ix_exec"));
  statements.push_back(hot(sql::kIdsInState, {key, step, "pending", std::int64_t{1000}}, "s", "ix_task"));
  statements.push_back(hot(sql::kFailPending, {"{}", sample.subtask_id}, "tidb_background_subtask", "PRIMARY"));

  Values cancel{key};
  Values from;
  Values move;
  for (const auto id : sample.subtask_ids) {
    cancel.emplace_back(id);
    for (auto* list : {&move, &from}) {
      list->emplace_back(id);
      list->emplace_back(sample.exec_id);
    }
  }
  move.insert(move.end(), sample.subtask_ids.begin(), sample.subtask_ids.end());
  move.insert(move.end(), from.begin(), from.end());
  const char* const table = "tidb_background_subtask";
  statements.push_back({"scheduler.cancel_unstarted", sql::cancelUnstartedText(), cancel, table, "PRIMARY"});
  statements.push_back({"scheduler.resume_paused", sql::resumePausedText(), cancel, table, "PRIMARY"});
  statements.push_back({"scheduler.move_pending_rows", sql::movePendingText(), move, table, "PRIMARY"});
  return statements;
}

std::vector<HotStatement> hotPlanStatements(const HotSample& sample) {
  std::vector<HotStatement> statements;
  statements.push_back(hot(sql::kPlansOf, {sample.exec_id}, "p", "ix_planner"));
  const Values metas{sample.task_key, sample.step, sample.ordinal, std::int64_t{1000}};
  statements.push_back(hot(sql::kResultMetas, metas, "s", "uk_task_key_step_ordinal"));
  return statements;
}

std::vector<HotStatement> hotReasonStatements(const HotSample& sample) {
  const auto& key = sample.task_key;
  const std::int64_t limit = 1000;
  auto holders = hot(sql::kSlotHolders, {limit}, "s", "ix_exec", true);
  holders.scanned = "n";  // of each node what it runs
  auto pending_users = hot(sql::kSlotUsers, {limit}, "p", "ix_exec");
  auto running_users = hot(sql::kSlotUsers, {limit}, "r", "ix_exec");
  pending_users.scanned = running_users.scanned = "n";
  return {
      std::move(holders),
      std::move(pending_users),
      std::move(running_users),
      hot(sql::kNodesOfState, {key, sample.step, std::string("pending"), limit}, "s", "ix_task"),
      hot(sql::kThrottledSubtasks, {key, sample.step, limit}, "s", "ix_task"),
      hot(sql::kTriedSubtasks, {sample.task_id, limit}, "a", "ix_task", true),
      hot(sql::kTriedSubtasks, {sample.task_id, limit}, "s", "PRIMARY", true),
      hot(sql::kRestingPlans, {sample.task_id}, "p", "PRIMARY"),
      hot(sql::kSubtaskPlace, {sample.subtask_id, key}, "s", "PRIMARY"),
      hot(sql::kSubtaskPlace, {sample.subtask_id, key}, "a", "PRIMARY"),
      hot(sql::kSubtaskPlaceHistory, {sample.subtask_id, key}, "s", "PRIMARY"),
      hot(sql::kSubtasksAhead, {sample.exec_id, key, sample.step, sample.ordinal, limit}, "s", "ix_exec"),
  };
}

}  // namespace disttask::storage::mysql
