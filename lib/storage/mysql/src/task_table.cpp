#include "task_table.hpp"

#include "attempts.hpp"
#include "dxf_work.hpp"
#include "factories.hpp"

#include "statements/task.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <unordered_set>

namespace disttask::storage::mysql {

namespace {

/// Ids in one statement; shorter lists are filled up with the last id, so that one prepared text serves all.
constexpr std::size_t kIdsPerStatement = 64;

std::int64_t limitOf(std::int32_t limit) {
  return limit > 0 ? limit : std::numeric_limits<std::int32_t>::max();
}

sqlclient::Value textOf(SubtaskState state) {
  return std::string(toString(state));
}

SubtaskStates withoutDoubles(const SubtaskStates& states) {
  SubtaskStates unique;
  for (const auto state : states) {
    if (std::find(unique.begin(), unique.end(), state) == unique.end()) unique.push_back(state);
  }
  return unique;
}

/// Tasks that one statement asks for, when there are at least half as many; few texts are prepared, and one task costs
/// one.
constexpr std::size_t kTasksPerStatement = 8;

void addLargestSlots(Connection& connection, const ExecId& exec_id, std::vector<proto::TaskExecInfo>& infos) {
  static const std::string one = sql::largestSlotsText(1);
  static const std::string many = sql::largestSlotsText(kTasksPerStatement);
  for (std::size_t first = 0; first < infos.size();) {
    const bool is_one = infos.size() - first < kTasksPerStatement / 2;
    const auto last = is_one ? first : std::min(first + kTasksPerStatement, infos.size()) - 1;
    sqlclient::Values values;
    for (std::size_t i = 0; i < (is_one ? 1 : kTasksPerStatement); ++i) {
      const auto id = infos[std::min(first + i, last)].task.id;
      const auto key = proto::taskKeyOf(id);
      values.insert(values.end(), {id.value(), exec_id, key, exec_id, key});
    }
    auto rows = connection.queryDynamic("largest_slots", is_one ? one : many, values);
    while (rows.next()) {
      const auto begin = infos.begin() + static_cast<std::ptrdiff_t>(first);
      const auto found =
          std::find_if(begin, infos.end(), [&](const auto& info) { return info.task.id.value() == rows.getInt(1); });
      if (found != infos.end()) found->subtask_slots = static_cast<std::int32_t>(rows.getInt(2));
    }
    first = last + 1;
  }
}

}  // namespace

std::vector<proto::TaskExecInfo> MySqlTaskTable::getTaskExecInfoByExecId(const Call& call, const ExecId& exec_id) {
  call.check("tasks with work");
  return context_.read(call, "tasks with work", [&](Connection& connection) {
    if (context_.dialect() != nullptr) return findDxfWork(connection, exec_id, false);
    std::vector<proto::TaskExecInfo> infos;
    {
      auto rows = connection.query(sql::kTasksWithWork, {exec_id, exec_id});
      while (rows.next()) infos.push_back({readTaskBase(rows), 0});
    }
    addLargestSlots(connection, exec_id, infos);
    return infos;
  });
}

std::vector<proto::Task> MySqlTaskTable::getTasksInStates(const Call& call, const std::vector<TaskState>& states) {
  if (states.empty()) return {};
  call.check("tasks in states");
  auto tasks = context_.read(call, "tasks in states", [&](Connection& connection) {
    std::vector<proto::Task> found;
    std::unordered_set<TaskId> known;
    for (const auto state : std::set<TaskState>(states.begin(), states.end())) {
      auto rows = connection.query(sql::kTasksInState, {std::string(toString(state))});
      while (rows.next()) {
        auto task = readTask(rows);
        // A task that changed its state between two of the queries is listed once.
        if (known.insert(task.id).second) found.push_back(std::move(task));
      }
    }
    return found;
  });
  std::sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return outranks(a, b); });
  return tasks;
}

std::optional<proto::Task> MySqlTaskTable::getTaskById(const Call& call, TaskId id) {
  call.check("task by id");
  return context_.read(call, "task by id", [&](Connection& connection) -> std::optional<proto::Task> {
    auto rows = connection.query(sql::kTaskById, {id.value()});
    if (!rows.next()) return std::nullopt;
    return readTask(rows);
  });
}

std::optional<proto::TaskBase> MySqlTaskTable::getTaskBaseById(const Call& call, TaskId id) {
  call.check("task by id");
  return context_.read(call, "task by id", [&](Connection& connection) -> std::optional<proto::TaskBase> {
    auto rows = connection.query(sql::kTaskBaseById, {id.value()});
    if (!rows.next()) return std::nullopt;
    return readTaskBase(rows);
  });
}

std::vector<proto::Subtask> MySqlTaskTable::pick(
    const Call& call, const ExecId& exec_id, TaskId task_id, Step step, SubtaskState state, const PickLimits& limits
) {
  return context_.read(call, "pick of subtasks", [&](Connection& connection) {
    std::vector<proto::Subtask> found;
    const auto key = proto::taskKeyOf(task_id);
    const std::int64_t step_number = step.value();
    if (state != SubtaskState::kPending) {
      auto rows = connection.query(sql::kPickInState, {exec_id, textOf(state), key, step_number, limitOf(limits.rows)});
      while (rows.next()) found.push_back(readSubtask(rows));
      return found;
    }
    const auto max_meta = limits.max_meta_bytes > 0 ? limits.max_meta_bytes : std::numeric_limits<std::int64_t>::max();
    const std::int64_t after =
        limits.after_ordinal > 0 ? limits.after_ordinal : std::numeric_limits<std::int32_t>::min();
    auto rows = connection.query(
        sql::kPickPending, {max_meta, exec_id, key, step_number, after, exec_id, limitOf(limits.rows)}
    );
    while (rows.next()) {
      found.push_back(readSubtask(rows));
      const auto bytes = rows.getInt(17);
      if (bytes > max_meta) found.back().left_out_bytes = bytes;
    }
    return found;
  });
}

std::vector<proto::Subtask> MySqlTaskTable::getSubtasksByExecIdAndStepAndStates(
    const Call& call,
    const ExecId& exec_id,
    TaskId task_id,
    Step step,
    const SubtaskStates& states,
    const PickLimits& limits
) {
  call.check("pick of subtasks");
  std::vector<proto::Subtask> subtasks;
  std::unordered_set<SubtaskId> known;
  for (const auto state : withoutDoubles(states)) {
    for (auto& subtask : pick(call, exec_id, task_id, step, state, limits)) {
      // A row that changed its state between two of the queries is listed once, as it was seen first.
      if (known.insert(subtask.id).second) subtasks.push_back(std::move(subtask));
    }
  }
  std::sort(subtasks.begin(), subtasks.end(), [](const auto& a, const auto& b) { return a.ordinal < b.ordinal; });
  return subtasks;
}

std::optional<proto::Subtask> MySqlTaskTable::getFirstSubtaskInStates(
    const Call& call, const ExecId& exec_id, TaskId task_id, Step step, const SubtaskStates& states
) {
  call.check("first subtask");
  auto ordered = withoutDoubles(states);
  const auto rank = [](SubtaskState state) {
    return state == SubtaskState::kRunning ? 0 : state == SubtaskState::kPending ? 1 : 2;
  };
  std::stable_sort(ordered.begin(), ordered.end(), [&](auto a, auto b) { return rank(a) < rank(b); });
  for (const auto state : ordered) {
    auto found = pick(call, exec_id, task_id, step, state, 1);
    if (!found.empty()) return std::move(found.front());
  }
  return std::nullopt;
}

bool MySqlTaskTable::hasSubtasksInStates(
    const Call& call, const ExecId& exec_id, TaskId task_id, Step step, const SubtaskStates& states
) {
  call.check("subtasks in states");
  return context_.read(call, "subtasks in states", [&](Connection& connection) {
    const auto key = proto::taskKeyOf(task_id);
    return std::any_of(states.begin(), states.end(), [&](auto state) {
      return connection.query(sql::kHasInState, {exec_id, textOf(state), key, std::int64_t{step.value()}}).next();
    });
  });
}

void MySqlTaskTable::writeMeta(
    const Call& call, const sqlclient::Sql& sql, const ExecId& exec_id, const std::string& role, std::int32_t slots
) {
  call.check(sql.name);
  // Idempotent, so an unknown outcome is simply sent again.
  RetryPause pause(context_, call, sql.name);
  for (;;) {
    try {
      const auto lease = context_.acquire(pause.call());
      updateOne(*lease, sql, {exec_id, role, std::int64_t{slots}});
      return;
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      pause.wait(e.error());
    }
  }
}

void MySqlTaskTable::initMeta(const Call& call, const ExecId& exec_id, const std::string& role, std::int32_t slots) {
  writeMeta(call, sql::kInitMeta, exec_id, role, slots);
}

void MySqlTaskTable::recoverMeta(const Call& call, const ExecId& exec_id, const std::string& role, std::int32_t slots) {
  writeMeta(call, sql::kRecoverMeta, exec_id, role, slots);
}

std::string MySqlTaskTable::getSubtaskCheckpoint(const Call& call, SubtaskId id) {
  call.check("checkpoint");
  return context_.read(call, "checkpoint", [&](Connection& connection) -> std::string {
    auto rows = connection.query(sql::kCheckpointById, {id.value()});
    // Every subtask is inserted with an empty object: the sign that nothing was written yet.
    if (!rows.next() || rows.getString(1) == "{}") return {};
    return rows.getString(1);
  });
}

std::optional<std::string> MySqlTaskTable::getSubtaskMeta(const Call& call, SubtaskId id) {
  call.check("meta of a subtask");
  return context_.read(call, "meta of a subtask", [&](Connection& connection) -> std::optional<std::string> {
    auto rows = connection.query(sql::kSubtaskMeta, {id.value()});
    if (!rows.next()) return std::nullopt;
    return rows.getString(1);
  });
}

std::int32_t MySqlTaskTable::getSubtaskRetries(const Call& call, SubtaskId id) {
  call.check("retries of a subtask");
  return context_.read(call, "retries of a subtask", [&](Connection& connection) {
    return readAttempt(connection, id).retries;
  });
}

bool MySqlTaskTable::mustRunAlone(const Call& call, SubtaskId id) {
  call.check("abnormal ends of a subtask");
  return context_.read(call, "abnormal ends of a subtask", [&](Connection& connection) {
    return readAttempt(connection, id).runsAlone();
  });
}

std::vector<SubtaskId> MySqlTaskTable::findLostRuns(
    const Call& call, const ExecId& exec_id, const std::vector<SubtaskId>& running
) {
  if (running.empty()) return {};
  call.check("lost runs");
  auto ids = running;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<SubtaskId> lost;
  const auto text = sql::rowsOfIdsText(kIdsPerStatement);
  for (std::size_t first = 0; first < ids.size(); first += kIdsPerStatement) {
    sqlclient::Values values;
    for (std::size_t i = first; i < first + kIdsPerStatement; ++i) {
      values.emplace_back(ids[std::min(i, ids.size() - 1)].value());
    }
    std::vector<SubtaskId> kept;
    context_.read(call, "lost runs", [&](Connection& connection) {
      kept.clear();
      auto rows = connection.queryDynamic("lost runs", text, values);
      while (rows.next()) {
        const SubtaskId id(rows.getInt(1));
        const auto state = proto::parseSubtaskState(rows.getString(3));
        // succeed and failed with our token are ends that this process wrote itself.
        const bool ours = rows.getString(2) == exec_id && tokens_.isLive(id, proto::RunToken(rows.getInt(4)));
        if (ours &&
            (state == SubtaskState::kRunning || state == SubtaskState::kSucceed || state == SubtaskState::kFailed)) {
          kept.push_back(id);
        }
      }
    });
    for (std::size_t i = first; i < std::min(first + kIdsPerStatement, ids.size()); ++i) {
      if (std::find(kept.begin(), kept.end(), ids[i]) != kept.end() || restoreStart(call, exec_id, ids[i])) continue;
      // A run whose end was confirmed meanwhile is no lost one.
      if (tokens_.live(ids[i]) != proto::RunToken{}) lost.push_back(ids[i]);
    }
  }
  return lost;
}

std::unique_ptr<TaskTable> makeTaskTable(StoreContext& context) {
  return std::make_unique<MySqlTaskTable>(context);
}

}  // namespace disttask::storage::mysql
