// Rows of this node that no run of this process holds: failures that belong to no subtask, cancel and pause by the
// node, orphans.
#include "attempts.hpp"
#include "disttask/base/failpoint.hpp"
#include "disttask/base/random.hpp"
#include "disttask/proto/row_error.hpp"
#include "task_table.hpp"

#include "statements/dxf.hpp"
#include "statements/task.hpp"

#include <algorithm>
#include <limits>

namespace disttask::storage::mysql {

namespace {

constexpr int kMaxCandidates = 8;           // rows that failSubtask tries before it says that there is none
constexpr std::int64_t kPendingChunk = 64;  // pending rows that one statement changes
constexpr auto kNoLimit = std::numeric_limits<std::int32_t>::max();
constexpr const char* kNonIdempotentText = "subtask in running state and is not idempotent";

std::optional<std::int64_t> findStep(Connection& connection, TaskId task_id) {
  auto rows = connection.query(sql::kDxfStepOfTask, {task_id.value()});
  if (!rows.next()) return std::nullopt;
  return rows.getInt(1);
}

// Nobody there lets a row go on that is paused after its task was resumed: so the state is read again before each
// write, also before one that is repeated since its answer was lost.
bool isPausing(Connection& connection, TaskId task_id) {
  auto rows = connection.query(sql::kDxfIsPausing, {task_id.value()});
  return rows.next() && rows.getInt(1) != 0;
}

}  // namespace

std::vector<MySqlTaskTable::Unrun> MySqlTaskTable::findUnrunRunning(
    const Call& call, const ExecId& exec_id, TaskId task_id
) {
  auto found = context_.read(call, "running subtasks", [&](Connection& connection) {
    std::vector<Unrun> rows;
    const auto key = proto::taskKeyOf(task_id);
    const bool by_step = context_.dialect() != nullptr;
    const auto step = by_step ? findStep(connection, task_id) : std::nullopt;
    if (by_step && !step) return rows;
    auto result = by_step ? connection.query(sql::kDxfRunningRows, {key, *step, exec_id})
                          : connection.query(sql::kRunningRows, {exec_id, key});
    while (result.next()) {
      rows.push_back(
          {SubtaskId(result.getInt(1)), SubtaskState::kRunning, proto::RunToken(result.getInt(2)), result.isNull(2)}
      );
    }
    return rows;
  });
  // Compared after the read: a token enters the live table before its start is sent (design rule 8).
  std::erase_if(found, [&](const auto& row) { return tokens_.isLive(row.id, row.token); });
  return found;
}

std::optional<MySqlTaskTable::Unrun> MySqlTaskTable::findFirstPending(
    const Call& call, const ExecId& exec_id, TaskId task_id
) {
  return context_.read(call, "first pending subtask", [&](Connection& connection) -> std::optional<Unrun> {
    auto rows = connection.query(sql::kPendingIds, {exec_id, proto::taskKeyOf(task_id), std::int64_t{1}});
    if (!rows.next()) return std::nullopt;
    return Unrun{SubtaskId(rows.getInt(1)), SubtaskState::kPending, proto::RunToken(rows.getInt(2)), rows.isNull(2)};
  });
}

TransitionOutcome MySqlTaskTable::endUnrun(
    const Call& call, const ExecId& exec_id, const Unrun& row, SubtaskState target, const std::optional<Error>& error
) {
  // A mark of this write's own tells it from the same end by somebody else; bit 0 keeps what the row said. A row that
  // said nothing stays so: who finds it running again must ask its type.
  sqlclient::Value mark_bind = nullptr;
  proto::RunToken mark;
  if (!isUnmarked(row)) {
    mark = proto::makeRunToken(randomToken(), proto::isIdempotent(row.token));
    mark_bind = mark.value();
  }
  sqlclient::Value token_seen = nullptr;
  if (!row.token_is_null) token_seen = row.token.value();
  const std::string state_seen(toString(row.state));
  sqlclient::Value text = nullptr;
  if (error) text = proto::encodeRowError(error->message(), error->storeNumber());
  DISTTASK_FAILPOINT("task_table.before_unrun_write");
  return writeGuarded(
      context_,
      call,
      "end of a subtask without a run",
      row.id,
      [&](Connection& connection) {
        if (target == SubtaskState::kPaused) {
          const auto& pause = context_.settings().shared_with_dxf ? sql::kDxfPauseUnrun : sql::kPauseUnrun;
          return updateOne(connection, pause, {mark_bind, row.id.value(), exec_id, state_seen, token_seen});
        }
        return updateOne(
            connection,
            sql::kEndUnrun,
            {std::string(toString(target)), text, mark_bind, row.id.value(), exec_id, state_seen, token_seen}
        );
      },
      [&](const RowState& now) {
        if (now.is(target) && now.token == mark) return Verdict::kApplied;
        const bool as_seen = now.exec_id == exec_id && now.is(row.state) && now.token == row.token &&
                             now.token_is_null == row.token_is_null;
        return as_seen ? Verdict::kSendAgain : Verdict::kLost;
      }
  );
}

TransitionOutcome MySqlTaskTable::failSubtask(
    const Call& call, const ExecId& exec_id, TaskId task_id, const Error& error
) {
  call.check("failure of a task");
  for (int i = 0; i < kMaxCandidates; ++i) {
    auto row = findFirstPending(call, exec_id, task_id);
    if (!row) {
      const auto running = findUnrunRunning(call, exec_id, task_id);
      if (running.empty()) return TransitionOutcome::kMissing;
      row = running.front();
    }
    const auto outcome = endUnrun(call, exec_id, *row, SubtaskState::kFailed, error);
    if (outcome == TransitionOutcome::kApplied) return outcome;
    // Somebody else changed that row meanwhile: take the next one.
  }
  return TransitionOutcome::kLost;
}

std::int64_t MySqlTaskTable::changePending(
    const Call& call, const ExecId& exec_id, TaskId task_id, SubtaskState target
) {
  std::int64_t changed = 0;
  RetryPause pause(context_, call, "change of pending subtasks");
  for (;;) {
    try {
      const auto ids = context_.read(pause.call(), "pending subtasks", [&](Connection& connection) {
        std::vector<std::int64_t> found;
        const bool asks = target == SubtaskState::kPaused && context_.dialect() != nullptr;
        if (asks && !isPausing(connection, task_id)) return found;
        auto rows = connection.query(sql::kPendingIds, {exec_id, proto::taskKeyOf(task_id), kPendingChunk});
        while (rows.next()) found.push_back(rows.getInt(1));
        return found;
      });
      if (ids.empty()) return changed;
      auto sorted = ids;
      std::sort(sorted.begin(), sorted.end());
      sorted.resize(kPendingChunk, sorted.back());
      sqlclient::Values values{exec_id};
      values.insert(values.end(), sorted.begin(), sorted.end());
      const auto text = target == SubtaskState::kPaused ? sql::pausePendingText(sorted.size())
                                                        : sql::cancelPendingText(sorted.size());
      changed += context_.inTransaction(pause.call(), "change of pending subtasks", [&](Connection& connection) {
        return connection.updateDynamic("change of pending subtasks", text, values);
      });
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      pause.wait(e.error());
    }
  }
}

std::int64_t MySqlTaskTable::cancelSubtask(const Call& call, const ExecId& exec_id, TaskId task_id) {
  call.check("cancel of subtasks");
  std::int64_t changed = 0;
  if (context_.settings().shared_with_dxf) changed += changePending(call, exec_id, task_id, SubtaskState::kCanceled);
  for (const auto& row : findUnrunRunning(call, exec_id, task_id)) {
    if (endUnrun(call, exec_id, row, SubtaskState::kCanceled, std::nullopt) == TransitionOutcome::kApplied) ++changed;
  }
  return changed;
}

std::int64_t MySqlTaskTable::pauseSubtasks(const Call& call, const ExecId& exec_id, TaskId task_id) {
  call.check("pause of subtasks");
  std::int64_t changed = 0;
  if (context_.settings().shared_with_dxf) changed += changePending(call, exec_id, task_id, SubtaskState::kPaused);
  const auto running = findUnrunRunning(call, exec_id, task_id);
  if (!running.empty() && context_.dialect() != nullptr) {
    const bool goes_on =
        context_.read(call, "state of a task", [&](Connection& connection) { return isPausing(connection, task_id); });
    if (!goes_on) return changed;
  }
  for (const auto& row : running) {
    // One that may not run twice is never paused (design rule 12): nobody knows how far it came.
    const bool pausable =
        isUnmarked(row) || proto::isIdempotent(row.token) || tokens_.pastOf(row.token) != PastRun::kUnknown;
    const bool applied =
        pausable ? endUnrun(call, exec_id, row, SubtaskState::kPaused, std::nullopt) == TransitionOutcome::kApplied
                 : releaseOrphan(call, exec_id, row, kNoLimit, OrphanRule::kAlwaysFailed) == OrphanOutcome::kFailed;
    if (applied) ++changed;
  }
  return changed;
}

OrphanOutcome MySqlTaskTable::releaseOrphan(
    const Call& call, const ExecId& exec_id, const Unrun& row, std::int32_t max_abnormal_ends, OrphanRule rule
) {
  DISTTASK_FAILPOINT("task_table.before_unrun_write");
  RetryPause pause(context_, call, "release of a subtask without a run");
  for (;;) {
    try {
      return context_.inTransaction(pause.call(), "release of a subtask without a run", [&](Connection& connection) {
        const auto now = queryRowState(connection, sql::kRowByIdForUpdate, row.id);
        if (!now || now->token != row.token || now->token_is_null != row.token_is_null) return OrphanOutcome::kLost;
        // Done already, by a try whose commit was not confirmed.
        if (now->is(SubtaskState::kPending)) return OrphanOutcome::kGivenBack;
        if (now->is(SubtaskState::kFailed)) return OrphanOutcome::kFailed;
        if (!now->is(SubtaskState::kRunning) || now->exec_id != exec_id) return OrphanOutcome::kLost;

        const auto past = tokens_.pastOf(row.token);
        std::string failure;
        if (past == PastRun::kUnknown && !isUnmarked(row)) {
          const auto attempt = countAbnormalEnd(connection, row.id, now->task_id, row.token);
          if (attempt.ends_alone >= max_abnormal_ends) failure = endedItsNode(attempt);
        }
        const bool may_run_again =
            rule == OrphanRule::kAlwaysPending || past != PastRun::kUnknown || proto::isIdempotent(row.token);
        if (!may_run_again || rule == OrphanRule::kAlwaysFailed) failure = kNonIdempotentText;
        if (failure.empty()) {
          connection.update(sql::kReleaseOrphan, {row.id.value(), exec_id, now->tokenBind()});
          return OrphanOutcome::kGivenBack;
        }
        const auto& fail = context_.settings().shared_with_dxf ? sql::kDxfFailOrphan : sql::kFailOrphan;
        connection.update(fail, {proto::encodeRowError(failure), row.id.value(), exec_id, now->tokenBind()});
        return OrphanOutcome::kFailed;
      });
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      pause.wait(e.error());
    }
  }
}

std::optional<MySqlTaskTable::Unrun> MySqlTaskTable::readUnrun(
    const Call& call, std::string_view name, const proto::SubtaskBase& subtask
) {
  const auto row = context_.read(call, name, [&](Connection& connection) {
    return queryRowState(connection, sql::kRowById, subtask.id);
  });
  if (!row || !row->is(SubtaskState::kRunning) || row->exec_id != subtask.exec_id || row->token != subtask.token)
    return std::nullopt;
  if (isRunHere(subtask.id, *row)) return std::nullopt;
  return Unrun{subtask.id, SubtaskState::kRunning, row->token, row->token_is_null};
}

std::int64_t MySqlTaskTable::runningSubtasksBack2Pending(
    const Call& call, const std::vector<proto::SubtaskBase>& subtasks
) {
  if (subtasks.empty()) return 0;
  call.check("running subtasks back to pending");
  std::int64_t changed = 0;
  for (const auto& subtask : subtasks) {
    const auto row = readUnrun(call, "running subtasks back to pending", subtask);
    if (!row) continue;
    const auto outcome = releaseOrphan(call, subtask.exec_id, *row, kNoLimit, OrphanRule::kAlwaysPending);
    if (outcome == OrphanOutcome::kGivenBack) ++changed;
  }
  return changed;
}

std::vector<std::pair<SubtaskId, OrphanOutcome>> MySqlTaskTable::takeOrphans(
    const Call& call, const ExecId& exec_id, TaskId task_id, std::int32_t max_abnormal_ends
) {
  call.check("orphans of a task");
  std::vector<std::pair<SubtaskId, OrphanOutcome>> taken;
  for (const auto& row : findUnrunRunning(call, exec_id, task_id)) {
    const auto outcome = isUnmarked(row) ? OrphanOutcome::kUnmarked
                                         : releaseOrphan(call, exec_id, row, max_abnormal_ends, OrphanRule::kByToken);
    taken.emplace_back(row.id, outcome);
  }
  return taken;
}

OrphanOutcome MySqlTaskTable::takeUnmarked(const Call& call, const proto::SubtaskBase& subtask, bool idempotent) {
  call.check("running subtask without a token");
  const auto row = readUnrun(call, "running subtask without a token", subtask);
  if (!row || !isUnmarked(*row)) return OrphanOutcome::kLost;
  const auto rule = idempotent ? OrphanRule::kAlwaysPending : OrphanRule::kAlwaysFailed;
  return releaseOrphan(call, subtask.exec_id, *row, kNoLimit, rule);
}

}  // namespace disttask::storage::mysql
