// Ends of live runs that are kept in the side row of attempts, in the transaction that takes the row out of `running`
// (design rule 9).
#include "attempts.hpp"
#include "disttask/proto/row_error.hpp"
#include "task_table.hpp"

#include "statements/task.hpp"

#include <algorithm>

namespace disttask::storage::mysql {

namespace {

/// No back-off is longer: a time further ahead counts as now.
constexpr std::int64_t kLongestBackOffMs = 3'600'000;

}  // namespace

TransitionOutcome MySqlTaskTable::giveBackWith(
    const Call& call,
    std::string_view name,
    const ExecId& exec_id,
    SubtaskId id,
    const std::function<void(Connection&, TaskId, bool)>& note
) {
  call.check(name);
  if (tokens_.live(id) == proto::RunToken{}) return TransitionOutcome::kLost;
  RetryPause pause(context_, call, name);
  for (;;) {
    try {
      const auto outcome = context_.inTransaction(pause.call(), name, [&](Connection& connection) {
        const auto row = queryRowState(connection, sql::kRowByIdForUpdate, id);
        if (!row) {
          return queryRowState(connection, sql::kHistoryRowById, id) ? TransitionOutcome::kLost
                                                                     : TransitionOutcome::kMissing;
        }
        if (!isRunHere(id, *row)) return TransitionOutcome::kLost;
        // An earlier try, whose answer was lost, has written all of it; without one the owner has, after an eviction.
        if (row->is(SubtaskState::kPending) && tokens_.isGiveBackInDoubt(id)) {
          note(connection, row->task_id, true);
          return TransitionOutcome::kApplied;
        }
        if (row->exec_id != exec_id || !row->is(SubtaskState::kRunning)) return TransitionOutcome::kLost;
        if (connection.update(sql::kGiveBack, {id.value(), exec_id, row->token.value()}) != 1) {
          throw Exception(ErrorCode::kInternal, "a locked subtask row changed");
        }
        note(connection, row->task_id, false);
        tokens_.setGiveBackInDoubt(id);  // what follows is the commit
        return TransitionOutcome::kApplied;
      });
      tokens_.end(id);
      return outcome;
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      pause.wait(e.error());
    }
  }
}

TransitionOutcome MySqlTaskTable::retrySubtaskLater(
    const Call& call,
    const ExecId& exec_id,
    SubtaskId id,
    const Error& error,
    runtime::Duration delay,
    std::int32_t& retries
) {
  const auto delay_ms = std::clamp<std::int64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(delay).count(), 0, kLongestBackOffMs
  );
  const auto text = proto::encodeRowError(error.message(), error.storeNumber());
  return giveBackWith(
      call,
      "retry of a subtask",
      exec_id,
      id,
      [&](Connection& connection, TaskId task_id, bool is_done) {
        retries = lockAttempt(connection, id, task_id).retries;
        if (is_done) return;
        ++retries;
        connection.update(sql::kAttemptRetry, {delay_ms, text, id.value()});
      }
  );
}

TransitionOutcome MySqlTaskTable::handBackSubtask(
    const Call& call, const ExecId& exec_id, SubtaskId id, const Error& error
) {
  const auto text = proto::encodeRowError(error.message(), error.storeNumber());
  return giveBackWith(
      call,
      "hand-back of a subtask",
      exec_id,
      id,
      [&](Connection& connection, TaskId task_id, bool is_done) {
        if (is_done) return;
        auto nodes = lockAttempt(connection, id, task_id).handed_back;
        if (std::find(nodes.begin(), nodes.end(), exec_id) == nodes.end()) nodes.push_back(exec_id);
        connection.update(sql::kAttemptHandBack, {toJsonArray(nodes), text, id.value()});
      }
  );
}

}  // namespace disttask::storage::mysql
