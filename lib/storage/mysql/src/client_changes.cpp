// What people ask of a task: cancel, pause, resume, modify. Each is one conditional UPDATE of its state.
#include "client_table.hpp"
#include "disttask/base/json.hpp"
#include "guarded_write.hpp"

#include "statements/client.hpp"

#include <algorithm>

namespace disttask::storage::mysql {

namespace {

using proto::TaskModification;

constexpr std::chrono::milliseconds kLookEvery{100};

std::string nameOf(TaskId id) {
  return "task id:" + std::to_string(id.value());
}

[[noreturn]] void refuseState(TaskId id, std::string_view state, std::string_view what, std::string_view from) {
  throw Exception(
      ErrorCode::kPrecondition,
      nameOf(id) + " is " + std::string(state) + "; only a " + std::string(from) + " task can be " + std::string(what)
  );
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

}  // namespace

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

std::optional<std::string> MySqlClientTable::ask(
    const Call& call,
    std::string_view name,
    TaskId id,
    const sqlclient::Sql& update,
    const std::vector<TaskState>& reached,
    const std::vector<TaskState>& from
) {
  call.check(name);
  RetryPause pause(context_, call, name);
  bool is_in_doubt = false;
  for (;;) {
    std::optional<Error> last;
    try {
      const auto lease = context_.acquire(pause.call());
      if (updateOne(*lease, update, {id.value()}) > 0) return std::nullopt;
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      last = e.error();
      is_in_doubt = true;
    }
    try {
      const auto text = findState(pause.call(), id);
      const auto state = proto::parseTaskState(text);
      const auto isIn = [&](const std::vector<TaskState>& states) {
        return state && std::find(states.begin(), states.end(), *state) != states.end();
      };
      // An earlier try whose answer was lost may have been what brought it there.
      if (is_in_doubt && isIn(reached)) return std::nullopt;
      if (!isIn(from)) return text;
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      last = e.error();
    }
    pause.wait(last);
  }
}

bool MySqlClientTable::cancelTask(const Call& call, TaskId id) {
  const auto found =
      ask(call,
          "cancel of a task",
          id,
          sql::kCancelTask,
          {TaskState::kCancelling, TaskState::kReverting, TaskState::kReverted},
          {TaskState::kPending,
           TaskState::kRunning,
           TaskState::kPaused,
           TaskState::kPausing,
           TaskState::kResuming,
           TaskState::kModifying,
           TaskState::kAwaitingResolution});
  return !found;
}

bool MySqlClientTable::pauseTask(const Call& call, TaskId id) {
  const auto found =
      ask(call,
          "pause of a task",
          id,
          sql::kPauseTask,
          {TaskState::kPausing, TaskState::kPaused},
          {TaskState::kPending, TaskState::kRunning});
  if (!found) return true;
  if (found == toString(TaskState::kPausing) || found == toString(TaskState::kPaused)) return false;
  refuseState(id, *found, "paused", "pending or running");
}

bool MySqlClientTable::resumeTask(const Call& call, TaskId id) {
  const auto found = ask(
      call, "resume of a task", id, sql::kResumeTask, {TaskState::kResuming, TaskState::kRunning}, {TaskState::kPaused}
  );
  if (!found) return true;
  if (found == toString(TaskState::kResuming) || found == toString(TaskState::kRunning)) return false;
  refuseState(id, *found, "resumed", "paused");
}

void MySqlClientTable::modifyTask(const Call& call, TaskId id, const TaskModification& change) {
  constexpr std::string_view kName = "modification of a task";
  checkChange(change);
  if (change.slots) checkNodes(call, *change.slots);
  RetryPause pause(context_, call, kName);
  pause.call().check(kName);
  bool is_in_doubt = false;
  for (;;) {
    std::optional<Error> last;
    try {
      const auto text = findState(pause.call(), id);
      const auto state = proto::parseTaskState(text);
      const auto lease = context_.acquire(pause.call());
      if (state == TaskState::kModifying && is_in_doubt) {
        auto rows = lease->query(sql::kIsModifying, {id.value()});
        std::string unknown;
        const auto params = rows.next() ? proto::parseModifyParams(rows.getString(1), unknown) : std::nullopt;
        if (params && params->change == change) return;  // our own, whose answer was lost
      }
      if (!state || !proto::canBeModified(*state)) refuseState(id, text, "modified", "pending, running or paused");
      const proto::ModifyParams params{*state, change};
      if (updateOne(*lease, sql::kModifyTask, {proto::toJson(params), id.value(), text}) > 0) return;
    } catch (const Exception& e) {
      if (!isWorthAnotherTry(e.error())) throw;
      // Applied twice is applied once: the values are the same.
      last = e.error();
      is_in_doubt = true;
    }
    pause.wait(last);
  }
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
      if (!isWorthAnotherTry(e.error()) && e.error().code() != ErrorCode::kTimedOut) throw;
    }
    const auto left = limited.deadline.left();
    if (left <= runtime::Duration::zero()) {
      throw Exception(ErrorCode::kTimedOut, "modification of " + nameOf(id) + ": " + missing);
    }
    pause.waitFor(limited.token, std::min<runtime::Duration>(kLookEvery, left));
  }
}

}  // namespace disttask::storage::mysql
