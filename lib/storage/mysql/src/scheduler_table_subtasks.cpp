#include "attempts.hpp"
#include "disttask/base/failpoint.hpp"
#include "disttask/proto/row_error.hpp"
#include "events.hpp"
#include "padded_chunks.hpp"
#include "scheduler_table.hpp"
#include "task_rows.hpp"

#include "statements/scheduler.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace disttask::storage::mysql {

namespace {

using proto::SubtaskId;
using proto::SubtaskState;

/// The text of ErrNonIdempotentSubtask (contract 4.9).
constexpr std::string_view kNonIdempotentText = "subtask in running state and is not idempotent";

/// Appends ids that match, of one state, until there are `limit`.
void appendIds(
    Connection& connection,
    const sqlclient::Sql& query,
    sqlclient::Values values,
    std::size_t limit,
    std::vector<std::int64_t>& ids
) {
  if (ids.size() >= limit) return;
  values.emplace_back(static_cast<std::int64_t>(limit - ids.size()));
  auto rows = connection.query(query, values);
  while (rows.next()) ids.push_back(rows.getInt(1));
}

/// Changes the task's rows in `states` by a multi-row text (task_key, ids), with the task row held in `task_state`,
/// and writes the event `name`. Returns how many.
std::int64_t changeUnstarted(
    Connection& connection,
    const std::string& text,
    TaskId id,
    TaskState task_state,
    std::initializer_list<const char*> states,
    std::int32_t limit,
    std::string_view name,
    SubtaskState to
) {
  const auto key = proto::taskKeyOf(id);
  const auto most = static_cast<std::size_t>(std::clamp(limit, 1, 1000));
  std::int64_t step = 0;
  {
    auto task = connection.query(sql::kTaskStateLock, {id.value()});
    if (!task.next() || task.getString(1) != toString(task_state)) return 0;
    step = task.getInt(2);
  }
  std::vector<std::int64_t> ids;
  for (const auto* state : states) appendIds(connection, sql::kIdsInState, {key, step, state}, most, ids);
  if (ids.empty()) {
    // Other steps should have none; looking costs a walk over the task's part of the index, once.
    for (const auto* state : states) appendIds(connection, sql::kIdsInStateAllSteps, {key, state}, most, ids);
  }
  std::sort(ids.begin(), ids.end());
  std::int64_t changed = 0;
  inPaddedChunks(ids, [&](const std::vector<std::int64_t>& chunk) {
    sqlclient::Values values{key};
    values.insert(values.end(), chunk.begin(), chunk.end());
    changed += connection.updateDynamic("scheduler.change_unstarted", text, values);
  });
  if (changed > 0) {
    addTaskEvent(connection, id, EventActor::owner(), {.name = name, .to = toString(to), .count = changed});
  }
  return changed;
}

/// A running row of a dead node as it was found.
struct Orphan {
  SubtaskId id;
  TaskId task_id;
  sqlclient::Value token;  ///< NULL where somebody else's program started it
};

std::vector<Orphan> findOrphans(Connection& connection, const ExecId& exec_id, std::int32_t limit) {
  std::vector<Orphan> orphans;
  auto rows = connection.query(sql::kRunningOfNode, {exec_id, std::int64_t{limit}});
  while (rows.next()) {
    Orphan orphan;
    orphan.id = SubtaskId(rows.getInt(1));
    orphan.task_id = TaskId(std::strtoll(rows.getString(2).c_str(), nullptr, 10));
    if (!rows.isNull(3)) orphan.token = rows.getInt(3);
    orphans.push_back(std::move(orphan));
  }
  std::sort(orphans.begin(), orphans.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return orphans;
}

/// Locks the task rows in the order of their ids. A task that is gone has no state.
std::map<TaskId, std::optional<TaskState>> lockTasks(Connection& connection, const std::vector<Orphan>& orphans) {
  std::map<TaskId, std::optional<TaskState>> states;
  for (const auto& orphan : orphans) states.emplace(orphan.task_id, std::nullopt);
  for (auto& [id, state] : states) {
    auto rows = connection.query(sql::kTaskStateLock, {id.value()});
    if (rows.next()) state = proto::parseTaskState(rows.getString(1));
  }
  return states;
}

/// What becomes of a running row whose process is gone (design rule 11), before its attempts are looked at.
SubtaskState stateAfterDeath(std::optional<TaskState> task, bool idempotent) {
  if (!task || *task == TaskState::kReverting || isDone(*task)) return SubtaskState::kCanceled;
  if (!idempotent) return SubtaskState::kFailed;
  return *task == TaskState::kPausing || *task == TaskState::kPaused ? SubtaskState::kPaused : SubtaskState::kPending;
}

/// Writes one row out of `running`, with the token seen. The caller holds the row. Returns its new state.
SubtaskState release(
    Connection& connection,
    const Orphan& orphan,
    const ExecId& exec_id,
    std::optional<TaskState> task,
    std::int32_t max_abnormal_ends
) {
  const auto* token = std::get_if<std::int64_t>(&orphan.token);
  const proto::RunToken run(token ? *token : 0);
  const auto attempt = countAbnormalEnd(connection, orphan.id, orphan.task_id, run);
  auto target = stateAfterDeath(task, isIdempotent(run));
  std::string text(kNonIdempotentText);
  if (target == SubtaskState::kPending && attempt.ends_alone >= max_abnormal_ends) {
    target = SubtaskState::kFailed;
    text = endedItsNode(attempt);
  }
  const auto id = orphan.id.value();
  switch (target) {
    case SubtaskState::kPending:
      connection.update(sql::kReleaseOrphan, {id, exec_id, orphan.token});
      break;
    case SubtaskState::kPaused:
      connection.update(sql::kPauseUnrun, {orphan.token, id, exec_id, "running", orphan.token});
      break;
    case SubtaskState::kCanceled:
      connection.update(sql::kEndUnrun, {"canceled", nullptr, orphan.token, id, exec_id, "running", orphan.token});
      break;
    default:
      connection.update(sql::kFailOrphan, {proto::encodeRowError(text), id, exec_id, orphan.token});
      break;
  }
  return target;
}

}  // namespace

std::int64_t MysqlSchedulerTable::cancelPendingSubtasks(
    const Call& call, proto::Life owner, TaskId id, std::int32_t limit
) {
  static const std::string text = sql::cancelUnstartedText();
  return asOwner(call, owner, "scheduler.cancel_pending", [&](Connection& connection) {
    return changeUnstarted(
        connection,
        text,
        id,
        TaskState::kReverting,
        {"pending", "paused"},
        limit,
        "cancel-subtasks",
        SubtaskState::kCanceled
    );
  });
}

std::int64_t MysqlSchedulerTable::pausePendingSubtasks(
    const Call& call, proto::Life owner, TaskId id, std::int32_t limit
) {
  static const std::string text = sql::pauseUnstartedText();
  return asOwner(call, owner, "scheduler.pause_pending", [&](Connection& connection) {
    return changeUnstarted(
        connection, text, id, TaskState::kPausing, {"pending"}, limit, "pause-subtasks", SubtaskState::kPaused
    );
  });
}

std::int64_t MysqlSchedulerTable::resumePausedSubtasks(
    const Call& call, proto::Life owner, TaskId id, TaskState state, std::int32_t limit
) {
  static const std::string text = sql::resumePausedText();
  return asOwner(call, owner, "scheduler.resume_paused", [&](Connection& connection) {
    return changeUnstarted(connection, text, id, state, {"paused"}, limit, "resume-subtasks", SubtaskState::kPending);
  });
}

std::int64_t MysqlSchedulerTable::releaseRowsOfDeadNode(
    const Call& call, proto::Life owner, const ExecId& exec_id, std::int32_t max_abnormal_ends, std::int32_t limit
) {
  const bool has_any = context_.read(call, "scheduler.find_running", [&](Connection& connection) {
    return connection.query(sql::kRunningOfNode, {exec_id, std::int64_t{1}}).next();
  });
  if (!has_any) return 0;  // one who holds other rows, and is asked for again and again
  return asOwner(call, owner, "scheduler.release_rows", [&](Connection& connection) -> std::int64_t {
    bool has_row = false;
    {
      // Held to the end: while it is, no new life can begin under this id, so what runs there was started by the dead
      // one.
      auto node = connection.query(sql::kNodeLifeLock, {exec_id});
      has_row = node.next();
      if (has_row && node.getInt(1) != 0) return 0;
    }
    DISTTASK_FAILPOINT("scheduler.orphans");
    const auto orphans = findOrphans(connection, exec_id, std::clamp(limit, 1, 1000));
    const auto tasks = lockTasks(connection, orphans);
    // All subtask rows by id first, then the attempts: the lock order of design rule 19.
    std::vector<const Orphan*> held;
    for (const auto& orphan : orphans) {
      const auto row = queryRowState(connection, sql::kRowByIdForUpdate, orphan.id);
      const bool same =
          row && row->is(SubtaskState::kRunning) && row->exec_id == exec_id && row->tokenBind() == orphan.token;
      if (same) held.push_back(&orphan);
    }
    // Without a row there was nothing to hold. Who has registered since may have started what is held now, and nothing
    // more from here on.
    if (!has_row && connection.query(sql::kNodeLife, {exec_id}).next()) return 0;
    std::map<std::pair<TaskId, SubtaskState>, std::int64_t> released;
    for (const auto* orphan : held) {
      const auto& task = tasks.at(orphan->task_id);
      ++released[{orphan->task_id, release(connection, *orphan, exec_id, task, max_abnormal_ends)}];
    }
    for (const auto& [what, count] : released) {
      if (!tasks.at(what.first)) continue;  // nobody would ever delete it
      addTaskEvent(
          connection,
          what.first,
          EventActor::owner(),
          {.name = "node-lost",
           .from = toString(SubtaskState::kRunning),
           .to = toString(what.second),
           .reason = "they ran on " + exec_id + ", which is gone",
           .count = count}
      );
    }
    return static_cast<std::int64_t>(held.size());
  });
}

bool MysqlSchedulerTable::failPendingSubtask(
    const Call& call, proto::Life owner, SubtaskId id, const std::string& error
) {
  return asOwner(call, owner, "scheduler.fail_pending", [&](Connection& connection) {
    const bool failed = connection.update(sql::kFailPending, {proto::encodeRowError(error), id.value()}) == 1;
    const auto row = queryRowState(connection, sql::kRowById, id);
    if (failed && row) {
      addTaskEvent(
          connection,
          row->task_id,
          EventActor::owner(),
          {.name = "fail-subtask",
           .from = toString(SubtaskState::kPending),
           .to = toString(SubtaskState::kFailed),
           .reason = error,
           .subtask_id = id.value(),
           .count = 1}
      );
    }
    return failed || (row && row->is(SubtaskState::kFailed));
  });
}

std::int64_t MysqlSchedulerTable::movePendingSubtasks(
    const Call& call, proto::Life owner, const std::vector<SubtaskMove>& moves
) {
  if (moves.empty()) return 0;
  if (moves.size() > 1000) throw Exception(ErrorCode::kInvalidArgument, "more than 1000 subtasks moved at once");
  auto sorted = moves;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return asOwner(call, owner, "scheduler.move_pending", [&](Connection& connection) {
    static const std::string text = sql::movePendingText();
    std::int64_t moved = 0;
    inPaddedChunks(sorted, [&](const std::vector<SubtaskMove>& chunk) {
      sqlclient::Values values;
      values.reserve(5 * chunk.size());
      for (const auto& move : chunk) {
        values.emplace_back(move.id.value());
        values.emplace_back(move.to);
      }
      for (const auto& move : chunk) values.emplace_back(move.id.value());
      for (const auto& move : chunk) {
        values.emplace_back(move.id.value());
        values.emplace_back(move.from);
      }
      moved += connection.updateDynamic("scheduler.move_pending_rows", text, values);
    });
    return moved;
  });
}

}  // namespace disttask::storage::mysql
