// Writes of runs that are live in this process: start, summary, checkpoint and the ends.
#include "disttask/proto/row_error.hpp"
#include "task_table.hpp"

#include "statements/dxf.hpp"
#include "statements/task.hpp"

namespace disttask::storage::mysql {

namespace {

sqlclient::Value errorBind(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return proto::encodeRowError(error->message(), error->storeNumber());
}

}  // namespace

std::string MySqlTaskTable::summaryFor(const std::string& summary) const {
  auto* dialect = context_.dialect();
  return dialect == nullptr ? summary : summaryForDxf(summary, dialect->shape());
}

Verdict MySqlTaskTable::judgeStart(
    const ExecId& exec_id, proto::RunToken token, const StartedAs& started, const RowState& row
) {
  if (row.exec_id != exec_id) return Verdict::kLost;
  if (row.is(SubtaskState::kRunning) && row.token == token) return Verdict::kApplied;
  const bool same = row.task_id == started.task_id && row.step == started.step && row.ordinal == started.ordinal;
  return row.is(SubtaskState::kPending) && same ? Verdict::kSendAgain : Verdict::kLost;
}

Verdict MySqlTaskTable::judgeEnd(
    const ExecId& exec_id, SubtaskId id, SubtaskState target, const RowState& row, proto::RunToken& guard
) const {
  // A row that was moved away keeps the token that it shows: what became of it there is not ours.
  if (row.exec_id != exec_id || !isRunHere(id, row)) return Verdict::kLost;
  if (row.is(target)) return Verdict::kApplied;
  if (!row.is(SubtaskState::kRunning)) return Verdict::kLost;
  guard = row.token;
  return Verdict::kSendAgain;
}

TransitionOutcome MySqlTaskTable::writeStart(
    const Call& call, const ExecId& exec_id, SubtaskId id, proto::RunToken token, const StartedAs& started
) {
  return writeGuarded(
      context_,
      call,
      "start of a subtask",
      id,
      [&](Connection& connection) {
        return updateOne(
            connection,
            sql::kStart,
            {token.value(),
             id.value(),
             exec_id,
             proto::taskKeyOf(started.task_id),
             std::int64_t{started.step.value()},
             std::int64_t{started.ordinal}}
        );
      },
      [&](const RowState& row) { return judgeStart(exec_id, token, started, row); }
  );
}

bool MySqlTaskTable::restoreStart(const Call& call, const ExecId& exec_id, SubtaskId id) {
  const auto started = tokens_.startedAs(id);
  const auto token = tokens_.live(id);
  if (!started || token == proto::RunToken{}) return false;
  const auto row = context_.read(call, "lost start", [&](Connection& connection) {
    return queryRowState(connection, sql::kRowById, id);
  });
  if (!row || row->exec_id != exec_id || !row->is(SubtaskState::kPending)) return false;
  // The token that it showed before: anybody who had it meanwhile would have left another one.
  if (StartedAs{row->task_id, row->step, row->ordinal, row->token} != *started) return false;
  return writeStart(call, exec_id, id, token, *started) == TransitionOutcome::kApplied;
}

TransitionOutcome MySqlTaskTable::startSubtask(
    const Call& call, const proto::SubtaskBase& subtask, const ExecId& exec_id, bool idempotent
) {
  call.check("start of a subtask");
  const auto id = subtask.id;
  const auto begun = tokens_.begin(id, idempotent);
  if (!begun) return TransitionOutcome::kLost;
  const StartedAs started{subtask.task_id, subtask.step, subtask.ordinal, subtask.token};
  tokens_.noteStart(id, started);
  try {
    const auto outcome = writeStart(call, exec_id, id, *begun, started);
    // An earlier try may still land: then the row is found as an orphan that never began.
    if (outcome != TransitionOutcome::kApplied) tokens_.abandon(id, PastRun::kNeverBegun);
    return outcome;
  } catch (...) {
    tokens_.abandon(id, PastRun::kNeverBegun);
    throw;
  }
}

TransitionOutcome MySqlTaskTable::endRun(
    const Call& call,
    std::string_view name,
    const ExecId& exec_id,
    SubtaskId id,
    SubtaskState target,
    const std::function<std::int64_t(Connection&, proto::RunToken)>& send
) {
  call.check(name);
  auto guard = tokens_.live(id);
  if (guard == proto::RunToken{}) return TransitionOutcome::kLost;
  const auto outcome = writeGuarded(
      context_,
      call,
      name,
      id,
      [&](Connection& connection) { return send(connection, guard); },
      [&](const RowState& row) { return judgeEnd(exec_id, id, target, row, guard); }
  );
  tokens_.end(id);
  return outcome;
}

TransitionOutcome MySqlTaskTable::finishSubtask(
    const Call& call,
    const ExecId& exec_id,
    SubtaskId id,
    const std::string& meta,
    const std::optional<std::string>& summary
) {
  const auto kept = summary ? std::optional(summaryFor(*summary)) : std::nullopt;
  const auto send = [&](Connection& connection, proto::RunToken guard) {
    return kept ? updateOne(connection, sql::kFinishWithSummary, {meta, *kept, id.value(), exec_id, guard.value()})
                : updateOne(connection, sql::kFinish, {meta, id.value(), exec_id, guard.value()});
  };
  try {
    return endRun(call, "finish of a subtask", exec_id, id, SubtaskState::kSucceed, send);
  } catch (const Exception& e) {
    if (!refusesContent(e.error(), meta.size() + (summary ? summary->size() : 0))) throw;
    throw Exception(asRefusal(e.error()));
  }
}

TransitionOutcome MySqlTaskTable::updateSubtaskStateAndError(
    const Call& call, const ExecId& exec_id, SubtaskId id, SubtaskState state, const std::optional<Error>& error
) {
  if (state != SubtaskState::kFailed && state != SubtaskState::kCanceled && state != SubtaskState::kPaused) {
    throw Exception(
        ErrorCode::kInvalidArgument, "a run ends as failed, canceled or paused, not " + std::string(toString(state))
    );
  }
  const bool as_dxf = context_.settings().shared_with_dxf;
  if (as_dxf && state == SubtaskState::kPaused) {
    return endRun(call, "pause of a subtask", exec_id, id, state, [&](Connection& connection, proto::RunToken guard) {
      return updateOne(connection, sql::kDxfPauseRun, {id.value(), exec_id, guard.value()});
    });
  }
  const bool has_end_time = state == SubtaskState::kCanceled || (state == SubtaskState::kFailed && !as_dxf);
  const auto& statement = has_end_time ? sql::kEnd : sql::kLeaveRunning;
  return endRun(call, "end of a subtask", exec_id, id, state, [&](Connection& connection, proto::RunToken guard) {
    return updateOne(
        connection, statement, {std::string(toString(state)), errorBind(error), id.value(), exec_id, guard.value()}
    );
  });
}

TransitionOutcome MySqlTaskTable::giveBackSubtask(const Call& call, const ExecId& exec_id, SubtaskId id) {
  try {
    return endRun(
        call,
        "give-back of a subtask",
        exec_id,
        id,
        SubtaskState::kPending,
        [&](Connection& connection, proto::RunToken guard) {
          return updateOne(connection, sql::kGiveBack, {id.value(), exec_id, guard.value()});
        }
    );
  } catch (...) {
    // The run is over whatever the store says, so its row is an orphan from now on; takeOrphans gives it back without
    // counting it.
    tokens_.abandon(id, PastRun::kReturned);
    throw;
  }
}

TransitionOutcome MySqlTaskTable::updateSubtaskSummary(
    const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& summary
) {
  call.check("summary of a subtask");
  auto guard = tokens_.live(id);
  if (guard == proto::RunToken{}) return TransitionOutcome::kLost;
  const auto kept = summaryFor(summary);
  return writeGuarded(
      context_,
      call,
      "summary of a subtask",
      id,
      [&](Connection& connection) {
        return updateOne(connection, sql::kSummary, {kept, id.value(), exec_id, guard.value()});
      },
      [&](const RowState& row) {
        if (row.exec_id != exec_id || !row.is(SubtaskState::kRunning) || !isRunHere(id, row)) return Verdict::kLost;
        guard = row.token;
        return Verdict::kSendAgain;
      }
  );
}

TransitionOutcome MySqlTaskTable::updateSubtaskCheckpoint(
    const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& checkpoint
) {
  call.check("checkpoint of a subtask");
  auto guard = tokens_.live(id);
  if (guard == proto::RunToken{}) return TransitionOutcome::kLost;
  std::vector<proto::RunToken> fresh;  // tokens that only this call writes
  auto written = guard;
  const auto outcome = writeGuarded(
      context_,
      call,
      "checkpoint of a subtask",
      id,
      [&](Connection& connection) {
        // While an older write may still land, each one brings a new token, so that the older finds its guard gone.
        if (tokens_.isCheckpointInDoubt(id)) fresh.push_back(tokens_.renew(id));
        written = fresh.empty() ? guard : fresh.back();
        tokens_.setCheckpointInDoubt(id, true);
        return updateOne(
            connection, sql::kCheckpoint, {checkpoint, written.value(), id.value(), exec_id, guard.value()}
        );
      },
      [&](const RowState& row) {
        if (row.exec_id != exec_id || !row.is(SubtaskState::kRunning) || !isRunHere(id, row)) return Verdict::kLost;
        for (const auto token : fresh) {
          if (row.token != token) continue;
          written = token;
          return Verdict::kApplied;
        }
        guard = row.token;
        return Verdict::kSendAgain;
      }
  );
  if (outcome == TransitionOutcome::kApplied) {
    tokens_.confirm(id, written);
    tokens_.setCheckpointInDoubt(id, false);
  }
  return outcome;
}

}  // namespace disttask::storage::mysql
