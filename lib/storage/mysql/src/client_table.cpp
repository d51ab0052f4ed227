#include "client_table.hpp"

#include "factories.hpp"
#include "task_rows.hpp"

#include "statements/client.hpp"

#include <algorithm>
#include <map>
#include <unordered_set>

namespace disttask::storage::mysql {

namespace {

void addCount(SubtaskCounts& counts, const std::string& state_text, std::int64_t rows) {
  const auto state = proto::parseSubtaskState(state_text);
  if (!state) return;
  switch (*state) {
    case SubtaskState::kPending:
      counts.pending += rows;
      break;
    case SubtaskState::kRunning:
      counts.running += rows;
      break;
    case SubtaskState::kSucceed:
      counts.succeed += rows;
      break;
    case SubtaskState::kFailed:
      counts.failed += rows;
      break;
    case SubtaskState::kCanceled:
      counts.canceled += rows;
      break;
    case SubtaskState::kPaused:
      counts.paused += rows;
      break;
  }
}

/// Adds the rows of a query to `list`, leaving out those whose id is there already, and those in a state that this
/// version does not know: one row of a newer version must not hide all others.
template <typename Row, typename Reader>
void appendNew(std::vector<Row>& list, sqlclient::Result rows, Reader reader) {
  std::unordered_set<decltype(Row::id)> known;
  for (const auto& row : list) known.insert(row.id);
  while (rows.next()) {
    try {
      Row row = reader(rows);
      if (known.insert(row.id).second) list.push_back(std::move(row));
    } catch (const Exception& e) {
      if (e.error().code() != ErrorCode::kUnsupported) throw;
    }
  }
}

}  // namespace

std::optional<proto::Task> MySqlClientTable::findFirst(
    const Call& call, const sqlclient::Sql& live, const sqlclient::Sql& history, const sqlclient::Value& bind
) {
  call.check("look for a task");
  return context_.read(call, "look for a task", [&](Connection& connection) -> std::optional<proto::Task> {
    for (const auto* query : {&live, &history}) {
      auto rows = connection.query(*query, {bind});
      if (rows.next()) return readTask(rows);
    }
    return std::nullopt;
  });
}

std::optional<proto::Task> MySqlClientTable::findTask(const Call& call, TaskId id) {
  return findFirst(call, sql::kTaskById, sql::kTaskByIdHistory, id.value());
}

std::optional<proto::Task> MySqlClientTable::findTaskByKey(const Call& call, const std::string& key) {
  return findFirst(call, sql::kTaskByKey, sql::kTaskByKeyHistory, key);
}

std::vector<proto::Task> MySqlClientTable::listTasks(const Call& call, const TaskFilter& filter) {
  call.check("list of tasks");
  if (filter.limit <= 0) return {};
  sqlclient::Values values{filter.type, filter.type};
  for (const auto state : filter.states) values.emplace_back(std::string(toString(state)));
  values.emplace_back(std::int64_t{filter.limit});
  return context_.read(call, "list of tasks", [&](Connection& connection) {
    std::vector<proto::Task> tasks;
    if (!filter.without_live) {
      appendNew(
          tasks,
          connection.queryDynamic("list of tasks", sql::listTasksText(false, filter.states.size()), values),
          readTask
      );
    }
    if (filter.with_history) {
      appendNew(
          tasks,
          connection.queryDynamic("list of tasks", sql::listTasksText(true, filter.states.size()), values),
          readTask
      );
    }
    std::sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
    if (tasks.size() > static_cast<std::size_t>(filter.limit)) tasks.resize(static_cast<std::size_t>(filter.limit));
    return tasks;
  });
}

std::vector<StepProgress> MySqlClientTable::getProgress(const Call& call, TaskId id) {
  call.check("progress of a task");
  return context_.read(call, "progress of a task", [&](Connection& connection) {
    struct Found {
      StepProgress progress;
      std::int64_t first_id = 0;
    };
    std::map<Step, Found> steps;
    {
      const auto key = proto::taskKeyOf(id);
      auto rows = connection.query(sql::kProgress, {key, key});
      while (rows.next()) {
        const auto step = rows.isNull(1) ? proto::kStepInit : Step(static_cast<std::int32_t>(rows.getInt(1)));
        const auto [entry, is_new] = steps.try_emplace(step);
        auto& found = entry->second;
        found.progress.step = step;
        found.progress.plan_complete = true;
        addCount(found.progress.counts, rows.getString(2), rows.getInt(3));
        found.progress.sum.row_count += rows.getInt(4);
        found.progress.sum.bytes += rows.getInt(5);
        found.progress.sum.read_bytes += rows.getInt(6);
        found.first_id = is_new ? rows.getInt(7) : std::min(found.first_id, rows.getInt(7));
      }
    }
    // A step without a plan row was planned to its end: plans go with the task's move to history, and TiDB has none.
    if (!context_.settings().without_side_tables) {
      auto plans = connection.query(sql::kPlansOfTask, {id.value()});
      while (plans.next()) {
        const auto entry = steps.find(Step(static_cast<std::int32_t>(plans.getInt(1))));
        if (entry != steps.end()) entry->second.progress.plan_complete = plans.getInt(2) != 0;
      }
    }
    std::vector<Found> ordered;
    ordered.reserve(steps.size());
    for (const auto& [step, found] : steps) ordered.push_back(found);
    // Step numbers need not grow; subtasks of a later step were inserted later.
    std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first_id < b.first_id; });
    std::vector<StepProgress> result;
    result.reserve(ordered.size());
    for (const auto& found : ordered) result.push_back(found.progress);
    return result;
  });
}

std::vector<proto::Subtask> MySqlClientTable::listSubtasks(
    const Call& call, TaskId id, std::optional<Step> step, std::int32_t limit
) {
  call.check("list of subtasks");
  if (limit <= 0) return {};
  sqlclient::Values values{proto::taskKeyOf(id)};
  if (step) values.emplace_back(std::int64_t{step->value()});
  values.emplace_back(std::int64_t{limit});
  return context_.read(call, "list of subtasks", [&](Connection& connection) {
    std::vector<proto::Subtask> subtasks;
    appendNew(subtasks, connection.query(step ? sql::kSubtasksOfStep : sql::kSubtasksOfTask, values), readSubtask);
    appendNew(
        subtasks,
        connection.query(step ? sql::kSubtasksOfStepHistory : sql::kSubtasksOfTaskHistory, values),
        readSubtask
    );
    std::sort(subtasks.begin(), subtasks.end(), [](const auto& a, const auto& b) {
      return std::pair(a.step, a.ordinal) < std::pair(b.step, b.ordinal);
    });
    if (subtasks.size() > static_cast<std::size_t>(limit)) subtasks.resize(static_cast<std::size_t>(limit));
    return subtasks;
  });
}

void MySqlClientTable::refuseBesideTiDb(std::string_view what) const {
  if (context_.dialect() == nullptr) return;
  throw Exception(
      ErrorCode::kUnsupported,
      std::string(what) + ": the tasks of schema '" + context_.settings().schema +
          "' are a live TiDB's; ask TiDB for it, disttask only runs their subtasks"
  );
}

std::unique_ptr<ClientTable> makeClientTable(StoreContext& context) {
  return std::make_unique<MySqlClientTable>(context);
}

}  // namespace disttask::storage::mysql
