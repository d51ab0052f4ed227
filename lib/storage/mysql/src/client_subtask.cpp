// One subtask, as people look at it and cancel it.
#include "client_table.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/proto/row_error.hpp"
#include "events.hpp"
#include "guarded_write.hpp"
#include "task_rows.hpp"

#include "statements/client.hpp"

namespace disttask::storage::mysql {

namespace {

std::string nameOf(proto::SubtaskId id) {
  return "subtask id:" + std::to_string(id.value());
}

/// A task that is done, or on the way to its end, cancels what is left of it itself.
bool mayCancelSubtaskOf(std::string_view task_state) {
  const auto state = proto::parseTaskState(task_state);
  return state && isAllowed(*state, TaskEvent::kCancel);
}

[[noreturn]] void refuse(const proto::Subtask& subtask) {
  auto text = nameOf(subtask.id) + " is " + std::string(toString(subtask.state));
  if (subtask.state == SubtaskState::kRunning) {
    text += " on node " + subtask.exec_id + "; a run is ended only with its task: task pause, or task cancel";
  } else {
    text += "; only one that is pending or paused can be cancelled";
  }
  throw Exception(ErrorCode::kPrecondition, std::move(text));
}

}  // namespace

std::optional<proto::Subtask> MySqlClientTable::findSubtask(const Call& call, proto::SubtaskId id) {
  call.check("look for a subtask");
  return context_.read(call, "look for a subtask", [&](Connection& connection) -> std::optional<proto::Subtask> {
    for (const auto* query : {&sql::kSubtaskById, &sql::kSubtaskByIdHistory}) {
      auto rows = connection.query(*query, {id.value()});
      if (rows.next()) return readSubtask(rows);
    }
    return std::nullopt;
  });
}

bool MySqlClientTable::cancelSubtask(const Call& call, proto::SubtaskId id) {
  constexpr std::string_view kName = "cancellation of a subtask";
  call.check(kName);
  refuseBesideTiDb(kName);
  RetryPause pause(context_, call, kName);
  for (;;) {
    const auto subtask = findSubtask(pause.call(), id);
    if (!subtask) throw Exception(ErrorCode::kNotFound, "there is no " + nameOf(id) + ", live or in history");
    // Also what an earlier try did whose answer was lost.
    if (subtask->state == SubtaskState::kCanceled) return false;
    if (subtask->state != SubtaskState::kPending && subtask->state != SubtaskState::kPaused) refuse(*subtask);
    const std::string from(toString(subtask->state));
    std::string task_state;
    try {
      const bool is_written = context_.inTransaction(pause.call(), kName, [&](Connection& connection) {
        task_state = lockTask(connection, subtask->task_id).state;
        if (!mayCancelSubtaskOf(task_state)) return false;
        std::string user;
        if (auto found = connection.query(sql::kSessionUser, {}); found.next()) user = found.getString(1);
        const auto why = "subtask " + std::to_string(subtask->ordinal) + " of step " +
                         std::to_string(subtask->step.value()) + " was cancelled by user " + user;
        const auto matched = connection.update(
            sql::kCancelSubtask, {proto::encodeRowError(why), id.value(), proto::taskKeyOf(subtask->task_id), from}
        );
        if (matched != 1) return false;  // it changed meanwhile: looked at again
        addTaskEvent(
            connection,
            subtask->task_id,
            EventActor::user(),
            {.name = "cancel-subtask", .from = from, .to = "canceled", .reason = why, .subtask_id = id.value()}
        );
        return true;
      });
      if (is_written) {
        observability::log(
            observability::Level::kInfo,
            "subtask was cancelled",
            {{"task_id", subtask->task_id}, {"subtask_id", id}, {"from", from}}
        );
        return true;
      }
      if (!mayCancelSubtaskOf(task_state)) {
        if (task_state.empty()) task_state = findState(pause.call(), subtask->task_id);
        throw Exception(
            ErrorCode::kPrecondition, "the task of " + nameOf(id) + " is " + task_state + ", its subtasks end with it"
        );
      }
    } catch (const Exception& e) {
      if (!isWorthAnotherTryOfPerson(e.error())) throw;
      pause.wait(e.error());
    }
  }
}

}  // namespace disttask::storage::mysql
