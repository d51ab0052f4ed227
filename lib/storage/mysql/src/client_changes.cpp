// What people ask of a task: cancel, pause, resume, modify. Each is one conditional UPDATE of its state.
#include "client_table.hpp"
#include "disttask/base/json.hpp"
#include "disttask/observability/log.hpp"
#include "events.hpp"
#include "guarded_write.hpp"

#include "statements/client.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace disttask::storage::mysql {

namespace {

using proto::TaskModification;

constexpr std::chrono::milliseconds kLookEvery{100};

bool isOnTheWay(std::string_view text, proto::TaskStates states) {
  const auto state = proto::parseTaskState(text);
  return state && states.contains(*state);
}

void checkAtLeastOne(const std::optional<std::int32_t>& value, const char* what) {
  if (!value || *value >= 1) return;
  throw Exception(
      ErrorCode::kInvalidArgument, std::string(what) + " must be at least 1, not " + std::to_string(*value)
  );
}

void checkChange(const TaskModification& change) {
  if (change == TaskModification{}) throw Exception(ErrorCode::kInvalidArgument, "nothing to change was named");
  checkAtLeastOne(change.slots, "slots");
  checkAtLeastOne(change.max_nodes, "max nodes");
  checkAtLeastOne(change.priority, "priority");
  if (!change.meta) return;
  try {
    static_cast<void>(Json::parse(*change.meta));
  } catch (const Exception& e) {
    throw Exception(ErrorCode::kInvalidArgument, "task meta is not JSON: " + e.error().message());
  }
}

/// What was asked for, as an event keeps it. The text of a meta may be long, and secret.
std::string describe(const TaskModification& change) {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  if (change.slots) add("slots " + std::to_string(*change.slots));
  if (change.max_nodes) add("max nodes " + std::to_string(*change.max_nodes));
  if (change.priority) add("priority " + std::to_string(*change.priority));
  if (change.meta) add("meta of " + std::to_string(change.meta->size()) + " bytes");
  return text;
}

std::string nameOf(TaskId id) {
  return "task id:" + std::to_string(id.value());
}

}  // namespace

void refuseState(TaskId id, std::string_view state, std::string_view what, TaskEvent event) {
  std::vector<std::string> from;
  for (int i = 0; i < proto::kNumTaskStates; ++i) {
    const auto each = static_cast<TaskState>(i);
    if (isAllowed(each, event)) from.emplace_back(toString(each));
  }
  std::string list;
  for (std::size_t i = 0; i < from.size(); ++i) {
    list += (i == 0 ? "" : i + 1 == from.size() ? " or " : ", ") + from[i];
  }
  throw Exception(
      ErrorCode::kPrecondition,
      nameOf(id) + " is " + std::string(state) + "; only a task that is " + list + " can be " + std::string(what)
  );
}

std::string MySqlClientTable::findState(const Call& call, TaskId id) {
  const auto text = context_.read(call, "state of a task", [&](Connection& connection) -> std::optional<std::string> {
    for (const auto* query : {&sql::kStateOfTask, &sql::kStateOfTaskHistory}) {
      auto rows = connection.query(*query, {id.value()});
      if (rows.next()) return rows.getString(1);
    }
    return std::nullopt;
  });
  if (!text) throw Exception(ErrorCode::kNotFound, nameOf(id) + " does not exist");
  return *text;
}

MySqlClientTable::LockedTask MySqlClientTable::lockTask(Connection& connection, TaskId id) {
  auto rows = connection.query(sql::kTaskOfChange, {id.value()});
  if (!rows.next()) return {};
  return {rows.getString(1), Step(static_cast<std::int32_t>(rows.getInt(2)))};
}

void MySqlClientTable::writeChange(
    Connection& connection,
    TaskId id,
    TaskEvent event,
    const std::string& from,
    const std::optional<std::string>& params,
    const std::string& reason
) {
  const auto to = toString(targetOf(event));
  // The row is held and was seen in `from`: anything but one row is a bug.
  const auto matched = params
                           ? connection.update(sql::kModifyTask, {std::string(to), *params, id.value(), from})
                           : connection.update(
                                 sql::kChangeTask,
                                 {std::string(to),
                                  std::int64_t{event == TaskEvent::kResume || targetOf(event) == TaskState::kRunning},
                                  id.value(),
                                  from}
                             );
  if (matched != 1) throw Exception(ErrorCode::kInternal, "a task row changed while it was locked");
  addTaskEvent(connection, id, EventActor::user(), event, from, to, reason);
}

std::optional<std::string> MySqlClientTable::ask(
    const Call& call, TaskId id, TaskEvent event, const TaskModification* change
) {
  const std::string name = "task " + std::string(toString(event));
  refuseBesideTiDb(name);
  call.check(name);
  RetryPause pause(context_, call, name);
  bool is_in_doubt = false;
  for (;;) {
    std::optional<Error> last;
    try {
      std::string from;
      const bool is_written = context_.inTransaction(pause.call(), name, [&](Connection& connection) {
        from = lockTask(connection, id).state;
        const auto state = proto::parseTaskState(from);
        if (!state || !isAllowed(*state, event)) return false;
        const auto params = change ? std::optional(proto::toJson(proto::ModifyParams{*state, *change})) : std::nullopt;
        writeChange(connection, id, event, from, params, change ? describe(*change) : std::string());
        return true;
      });
      if (is_written) {
        observability::log(
            observability::Level::kInfo,
            "task changed its state",
            {{"task_id", id}, {"event", toString(event)}, {"from", from}, {"to", toString(targetOf(event))}}
        );
        return std::nullopt;
      }
      if (from.empty()) from = findState(pause.call(), id);
      const auto state = proto::parseTaskState(from);
      // An earlier try whose answer was lost may have been what brought it there.
      const bool may_be_ours = is_in_doubt && state && proto::ledFrom(targetOf(event)).contains(*state);
      if (may_be_ours && (!change || isModifying(pause.call(), id, *change))) return std::nullopt;
      return from;
    } catch (const Exception& e) {
      if (!isWorthAnotherTryOfPerson(e.error())) throw;
      last = e.error();
      is_in_doubt = true;
    }
    pause.wait(last);
  }
}

bool MySqlClientTable::isModifying(const Call& call, TaskId id, const TaskModification& change) {
  return context_.read(call, "modification of a task", [&](Connection& connection) {
    auto rows = connection.query(sql::kIsModifying, {id.value()});
    std::string unknown;
    const auto params = rows.next() ? proto::parseModifyParams(rows.getString(1), unknown) : std::nullopt;
    return params && params->change == change;
  });
}

bool MySqlClientTable::cancelTask(const Call& call, TaskId id) {
  return !ask(call, id, TaskEvent::kCancel);
}

bool MySqlClientTable::pauseTask(const Call& call, TaskId id) {
  const auto found = ask(call, id, TaskEvent::kPause);
  if (!found) return true;
  if (isOnTheWay(*found, {TaskState::kPausing, TaskState::kPaused})) return false;
  refuseState(id, *found, "paused", TaskEvent::kPause);
}

bool MySqlClientTable::resumeTask(const Call& call, TaskId id) {
  const auto found = ask(call, id, TaskEvent::kResume);
  if (!found) return true;
  if (isOnTheWay(*found, {TaskState::kResuming, TaskState::kRunning})) return false;
  refuseState(id, *found, "resumed", TaskEvent::kResume);
}

void MySqlClientTable::modifyTask(const Call& call, TaskId id, const TaskModification& change) {
  checkChange(change);
  if (change.slots) checkNodes(call, *change.slots);
  const auto found = ask(call, id, TaskEvent::kModify, &change);
  if (found) refuseState(id, *found, "modified", TaskEvent::kModify);
}

/// The owner counts a modification in the transaction that applies it, so a number read after the state was seen to be
/// another covers it; nodes write up to which number they have applied them.
void MySqlClientTable::waitForModification(const Call& call, TaskId id) {
  constexpr std::string_view kName = "wait for a modification";
  const RetryPause bounds(context_, call, kName);
  const auto& limited = bounds.call();
  runtime::Wakeup pause(context_.clock());
  std::optional<std::int64_t> number;
  std::string missing = "the owner of the scheduler role has not applied it";
  for (;;) {
    limited.token.throwIfCancelled();
    try {
      const auto state = number ? std::string() : findState(limited, id);
      for (const auto gone : {TaskState::kCancelling, TaskState::kReverting, TaskState::kReverted}) {
        if (state == toString(gone)) {
          throw Exception(ErrorCode::kPrecondition, nameOf(id) + " is " + state + ": nothing is modified any more");
        }
      }
      if (!number && state != toString(TaskState::kModifying)) {
        number = context_.read(limited, kName, [&](Connection& connection) {
          auto rows = connection.query(sql::kModifications, {});
          return rows.next() ? rows.getInt(1) : 0;
        });
      }
      if (number) {
        missing = context_.read(limited, kName, [&](Connection& connection) {
          std::string names;
          auto rows = connection.query(sql::kNodesBehind, {*number});
          while (rows.next()) names += (names.empty() ? "" : ", ") + rows.getString(1);
          return names;
        });
        if (missing.empty()) return;
        missing = "these nodes have not applied it: " + missing;
      }
    } catch (const Exception& e) {
      if (!isWorthAnotherTryOfPerson(e.error()) && e.error().code() != ErrorCode::kTimedOut) throw;
    }
    const auto left = limited.deadline.left();
    if (left <= runtime::Duration::zero()) {
      throw Exception(ErrorCode::kTimedOut, "modification of " + nameOf(id) + ": " + missing);
    }
    pause.waitFor(limited.token, std::min<runtime::Duration>(kLookEvery, left));
  }
}

}  // namespace disttask::storage::mysql
