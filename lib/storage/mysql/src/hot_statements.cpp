#include "statements/dxf.hpp"
#include "statements/run_batch.hpp"
#include "statements/task.hpp"

#include <set>
#include <utility>

namespace disttask::storage::mysql {

namespace {

constexpr const char* kSubtaskTable = "tidb_background_subtask";

HotStatement hot(const sqlclient::Sql& statement, sqlclient::Values values, std::string table, std::string index) {
  return {statement.name, statement.text, std::move(values), std::move(table), std::move(index), false, {}};
}

}  // namespace

std::vector<HotStatement> hotTaskStatements(const HotSample& sample) {
  const std::int64_t token = 6;
  const std::string json = R"({"row_count":1})";
  const auto& node = sample.exec_id;
  const auto& key = sample.task_key;
  const auto id = sample.subtask_id;
  sqlclient::Values ids;
  for (const auto each : sample.subtask_ids) ids.emplace_back(each);
  sqlclient::Values node_and_ids{node};
  node_and_ids.insert(node_and_ids.end(), ids.begin(), ids.end());
  const auto count = ids.size();

  // As for a full batch of 32 finishes and 32 starts, these alike or each with all that it is.
  constexpr std::size_t kRoom = 32;
  sqlclient::Values alike;
  sqlclient::Values each;
  const auto add = [&](sqlclient::Values& to, std::size_t first, const sqlclient::Values& values) {
    for (std::size_t i = first; i < first + kRoom; ++i) {
      to.push_back(ids.at(i));
      to.insert(to.end(), values.begin(), values.end());
    }
  };
  for (auto* values : {&alike, &each}) {
    add(*values, 0, {json});
    add(*values, 0, {json});
    if (values == &alike) {
      values->emplace_back(token);
    } else {
      add(*values, kRoom, {token});
    }
    values->insert(values->end(), ids.begin(), ids.begin() + 2 * kRoom);
    values->emplace_back(node);
    for (std::size_t i = 0; i < kRoom; ++i) values->emplace_back(token + static_cast<std::int64_t>(i));
    if (values == &alike) {
      values->insert(values->end(), {key, sample.step, std::int64_t{0}});
      add(*values, kRoom, {});
    } else {
      add(*values, kRoom, {key, sample.step, sample.ordinal});
    }
  }

  std::vector<HotStatement> hots{
      hot(sql::kTasksWithWork, {node, node}, "p", "ix_exec"),
      hot(sql::kTasksWithWork, {node, node}, "r", "ix_exec"),
      {"largest_slots",
       sql::largestSlotsText(2),
       {sample.task_id, node, key, node, key, sample.task_id, node, key, node, key},
       kSubtaskTable,
       "ix_exec"},
      hot(sql::kTaskById, {sample.task_id}, "t", "PRIMARY"),
      hot(sql::kTaskBaseById, {sample.task_id}, "t", "PRIMARY"),
      hot(sql::kPickPending,
          {std::int64_t{8192}, node, key, sample.step, sample.ordinal, node, std::int64_t{100}},
          "s",
          "ix_exec"),
      hot(sql::kPickInState, {node, "running", key, sample.step, std::int64_t{100}}, "s", "ix_exec"),
      hot(sql::kHasInState, {node, "pending", key, sample.step}, "s", "ix_exec"),
      hot(sql::kRunningRows, {node, key}, "s", "ix_exec"),
      hot(sql::kPendingIds, {node, key, std::int64_t{64}}, "s", "ix_exec"),
      hot(sql::kRowById, {id}, "s", "PRIMARY"),
      hot(sql::kRowByIdForUpdate, {id}, "s", "PRIMARY"),
      hot(sql::kSubtaskMeta, {id}, "s", "PRIMARY"),
      hot(sql::kCheckpointById, {id}, kSubtaskTable, "PRIMARY"),
      hot(sql::kStart, {token, id, node, key, sample.step, sample.ordinal}, kSubtaskTable, "PRIMARY"),
      hot(sql::kFinish, {json, id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kFinishWithSummary, {json, json, id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kEnd, {"failed", nullptr, id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kLeaveRunning, {"paused", nullptr, id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kGiveBack, {id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kEndUnrun, {"failed", nullptr, token, id, node, "pending", nullptr}, kSubtaskTable, "PRIMARY"),
      hot(sql::kPauseUnrun, {token, id, node, "running", nullptr}, kSubtaskTable, "PRIMARY"),
      hot(sql::kReleaseOrphan, {id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kFailOrphan, {json, id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kSummary, {json, id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kCheckpoint, {json, token, id, node, token}, kSubtaskTable, "PRIMARY"),
      hot(sql::kAttempt, {id}, "disttask_attempt", "PRIMARY"),
      hot(sql::kAttemptForUpdate, {id}, "disttask_attempt", "PRIMARY"),
      hot(sql::kAttemptAbnormalEnd, {std::int64_t{1}, std::int64_t{0}, token, id}, "disttask_attempt", "PRIMARY"),
      hot(sql::kAttemptRetry, {std::int64_t{1000}, json, id}, "disttask_attempt", "PRIMARY"),
      hot(sql::kAttemptHandBack, {"[]", json, id}, "disttask_attempt", "PRIMARY"),
      {"write of runs", sql::mergedRunsText(kRoom, true, sql::Starts::kAlike), alike, kSubtaskTable, "PRIMARY", false},
      {"write of runs, starts that differ",
       sql::mergedRunsText(kRoom, true, sql::Starts::kEach),
       each,
       kSubtaskTable,
       "PRIMARY",
       false},
      {"rows of runs", sql::runRowsText(count), ids, "s", "PRIMARY", false},
      {"rows of ids", sql::rowsOfIdsText(count), ids, "s", "PRIMARY", false},
      {"cancel of pending ids", sql::cancelPendingText(count), node_and_ids, kSubtaskTable, "PRIMARY", false},
      {"pause of pending ids", sql::pausePendingText(count), node_and_ids, kSubtaskTable, "PRIMARY", false},
  };
  for (auto& statement : hots) {
    // The few tasks found are put into rank order.
    if (statement.name == sql::kTasksWithWork.name) statement.sorts = true;
  }
  return hots;
}

std::vector<HotStatement> hotDxfStatements(const HotSample& sample) {
  constexpr const char* kOrdinals = "uk_task_key_step_ordinal";
  const auto& node = sample.exec_id;
  const auto& key = sample.task_key;
  std::vector<HotStatement> hots{
      hot(sql::kDxfPoll, {node, node, node}, "n", "PRIMARY"),
      hot(sql::kDxfPoll, {node, node, node}, "m", "PRIMARY"),
      hot(sql::kDxfPoll, {node, node, node}, "t", "state"),
      hot(sql::kDxfActiveTasks, {}, "t", "state"),
      hot(sql::kDxfWorkOfStep, {key, sample.step, node}, "s", kOrdinals),
      hot(sql::kDxfWorkOfTask, {key, node}, "s", kOrdinals),
      hot(sql::kDxfStepOfTask, {sample.task_id}, "t", "PRIMARY"),
      hot(sql::kDxfIsPausing, {sample.task_id}, "t", "PRIMARY"),
      hot(sql::kDxfRunningRows, {key, sample.step, node}, "s", kOrdinals),
      hot(sql::kDxfPauseRun, {sample.subtask_id, node, std::int64_t{6}}, kSubtaskTable, "PRIMARY"),
      hot(sql::kDxfPauseUnrun, {nullptr, sample.subtask_id, node, "running", nullptr}, kSubtaskTable, "PRIMARY"),
      hot(sql::kDxfFailOrphan, {"{}", sample.subtask_id, node, nullptr}, kSubtaskTable, "PRIMARY"),
  };
  // The few active tasks are put into rank order.
  for (auto& statement : hots) statement.sorts = statement.name == sql::kDxfActiveTasks.name;
  const std::set<std::string> of_own_schema{sql::kTasksWithWork.name, "largest_slots", sql::kRunningRows.name};
  for (auto& statement : hotTaskStatements(sample)) {
    if (of_own_schema.contains(statement.name)) continue;
    if (statement.index == "ix_exec") statement.index = kOrdinals;
    hots.push_back(std::move(statement));
  }
  return hots;
}

}  // namespace disttask::storage::mysql
