// What a person decides about a task that awaits its resolution, and the events that say what became of tasks.
#include "client_table.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/proto/row_error.hpp"
#include "events.hpp"
#include "guarded_write.hpp"
#include "padded_chunks.hpp"

#include "statements/client.hpp"
#include "statements/event.hpp"
#include "statements/history.hpp"

#include <algorithm>

namespace disttask::storage::mysql {

namespace {

/// Rows of one transaction: with a note of 4 KiB each it stays below 1 MiB.
constexpr std::int64_t kMaxRows = 200;

struct FailedRow {
  std::int64_t id = 0;
  std::string error;
};

TaskEvent eventOf(Resolution resolution) {
  switch (resolution) {
    case Resolution::kRetry:
      return TaskEvent::kResolveRetry;
    case Resolution::kSkip:
      return TaskEvent::kResolveSkip;
    case Resolution::kFail:
      break;
  }
  return TaskEvent::kResolveFail;
}

std::vector<FailedRow> findFailed(Connection& connection, TaskId id, Step step) {
  std::vector<FailedRow> found;
  for (const auto state : {SubtaskState::kFailed, SubtaskState::kCanceled}) {
    const auto left = kMaxRows - static_cast<std::int64_t>(found.size());
    if (left <= 0) break;
    auto rows = connection.query(
        sql::kFailedRows, {proto::taskKeyOf(id), std::int64_t{step.value()}, std::string(toString(state)), left}
    );
    while (rows.next()) found.push_back({rows.getInt(1), proto::decodeRowError(rows.getString(2))});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return found;
}

std::int64_t retryRows(Connection& connection, TaskId id, const std::vector<FailedRow>& rows) {
  static const std::string retry = sql::retryFailedText(sql::kIdsPerStatement);
  static const std::string forget = sql::deleteAttemptsText(sql::kIdsPerStatement);
  std::vector<std::int64_t> ids;
  ids.reserve(rows.size());
  for (const auto& row : rows) ids.push_back(row.id);
  std::int64_t changed = 0;
  inPaddedChunks(ids, [&](const std::vector<std::int64_t>& chunk) {
    sqlclient::Values values{proto::taskKeyOf(id)};
    values.insert(values.end(), chunk.begin(), chunk.end());
    changed += connection.updateDynamic("client.retry_failed", retry, values);
  });
  // What counted against them was looked at by a person (design rule 9).
  inPaddedChunks(ids, [&](const std::vector<std::int64_t>& chunk) {
    connection.updateDynamic("client.forget_attempts", forget, sqlclient::Values(chunk.begin(), chunk.end()));
  });
  return changed;
}

std::int64_t skipRows(Connection& connection, TaskId id, const std::vector<FailedRow>& rows) {
  std::string user;
  {
    auto found = connection.query(sql::kSessionUser, {});
    if (found.next()) user = found.getString(1);
  }
  std::int64_t changed = 0;
  for (const auto& row : rows) {
    const auto note = "skipped by " + user + ": " + (row.error.empty() ? "it was canceled" : row.error);
    changed += connection.update(sql::kSkipFailed, {proto::encodeSkipNote(note), row.id, proto::taskKeyOf(id)});
  }
  return changed;
}

}  // namespace

MySqlClientTable::Resolve MySqlClientTable::resolveSome(
    const Call& call, TaskId id, Resolution resolution, std::int64_t& changed, std::string& state
) {
  const auto event = eventOf(resolution);
  std::int64_t count = 0;
  const auto outcome = context_.inTransaction(call, "task resolution", [&](Connection& connection) {
    count = 0;
    const auto found = lockTask(connection, id);
    state = found.state;
    const auto known = proto::parseTaskState(state);
    if (!known || !isAllowed(*known, event)) return Resolve::kOtherState;
    if (resolution != Resolution::kFail) {
      const auto rows = findFailed(connection, id, found.step);
      const bool retries = resolution == Resolution::kRetry;
      if (!rows.empty()) {
        count = retries ? retryRows(connection, id, rows) : skipRows(connection, id, rows);
        const auto to = retries ? SubtaskState::kPending : SubtaskState::kSucceed;
        addTaskEvent(
            connection,
            id,
            EventActor::user(),
            {.name = retries ? "retry-subtasks" : "skip-subtasks", .to = toString(to), .count = count}
        );
        // The end is a transaction of its own: it looks once more, for what has failed meanwhile.
        return Resolve::kSome;
      }
    }
    writeChange(connection, id, event, state);
    return Resolve::kAll;
  });
  changed += count;
  return outcome;
}

std::int64_t MySqlClientTable::resolveTask(const Call& call, TaskId id, Resolution resolution) {
  constexpr std::string_view kName = "task resolution";
  const auto event = eventOf(resolution);
  refuseBesideTiDb(kName);
  call.check(kName);
  RetryPause pause(context_, call, kName);
  bool is_in_doubt = false;
  for (std::int64_t changed = 0;;) {
    std::string state;
    try {
      const auto outcome = resolveSome(pause.call(), id, resolution, changed, state);
      if (outcome == Resolve::kSome) continue;
      if (outcome == Resolve::kAll) {
        observability::log(
            observability::Level::kInfo,
            "task changed its state",
            {{"task_id", id},
             {"event", toString(event)},
             {"from", state},
             {"to", toString(targetOf(event))},
             {"subtasks", changed}}
        );
        return changed;
      }
      if (state.empty()) state = findState(pause.call(), id);
      const auto known = proto::parseTaskState(state);
      if (is_in_doubt && known && proto::ledFrom(targetOf(event)).contains(*known)) return changed;
      refuseState(id, state, "resolved", event);
    } catch (const Exception& e) {
      if (!isWorthAnotherTryOfPerson(e.error())) throw;
      is_in_doubt = true;
      pause.wait(e.error());
    }
  }
}

std::vector<EventRecord> MySqlClientTable::readEvents(
    const Call& call, TaskId id, const ExecId& exec_id, std::int32_t limit
) {
  call.check("events");
  if (limit <= 0) return {};
  return context_.read(call, "events", [&](Connection& connection) {
    std::vector<EventRecord> events;
    auto rows = connection.query(sql::kEvents, {id.value(), exec_id, std::int64_t{limit}});
    while (rows.next()) {
      EventRecord event;
      event.seq = rows.getInt(1);
      event.at_ms = rows.getInt(2);
      event.event = rows.getString(3);
      event.subtask_id = rows.getInt(4);
      event.from = rows.getString(5);
      event.to = rows.getString(6);
      event.count = rows.getInt(7);
      event.actor_kind = rows.getString(8);
      event.actor = rows.getString(9);
      event.reason = rows.getString(10);
      events.push_back(std::move(event));
    }
    std::reverse(events.begin(), events.end());
    return events;
  });
}

std::vector<EventRecord> MySqlClientTable::listEvents(const Call& call, TaskId id, std::int32_t limit) {
  return readEvents(call, id, {}, limit);
}

std::vector<EventRecord> MySqlClientTable::listNodeEvents(const Call& call, const ExecId& exec_id, std::int32_t limit) {
  return readEvents(call, TaskId(), exec_id, limit);
}

}  // namespace disttask::storage::mysql
