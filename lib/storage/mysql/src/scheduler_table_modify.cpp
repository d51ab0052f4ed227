// What applies the modification of a task (contract 5.6).
#include "disttask/base/random.hpp"
#include "events.hpp"
#include "padded_chunks.hpp"
#include "scheduler_table.hpp"
#include "task_rows.hpp"

#include "statements/plan.hpp"
#include "statements/scheduler.hpp"

#include <algorithm>

namespace disttask::storage::mysql {

namespace {

template <typename T>
sqlclient::Value bindOf(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_integral_v<T>) {
    return std::int64_t{*value};
  } else {
    return *value;
  }
}

/// A task type chooses the next step by what a modification may have changed: it is asked again, also where it had said
/// that there is none.
void chooseAgain(Connection& connection, TaskId id, const proto::TaskModification& change, proto::RunToken token) {
  if (!change.meta && !change.slots && !change.max_nodes) return;
  std::int64_t step = 0;
  {
    auto task = connection.query(sql::kTaskState, {id.value()});
    if (!task.next()) throw Exception(ErrorCode::kInternal, "a task row went away while it was locked");
    step = task.getInt(2);
  }
  connection.update(sql::kPlanChooseAgain, {token.value(), id.value(), step});  // none: nobody has been asked yet
}

}  // namespace

std::optional<proto::ModifyParams> MysqlSchedulerTable::getModification(const Call& call, TaskId id) {
  const auto text = context_.read(call, "scheduler.get_modification", [&](Connection& connection) {
    auto rows = connection.query(sql::kModifyParams, {id.value()});
    return rows.next() ? std::optional(rows.getString(1)) : std::nullopt;
  });
  if (!text) return std::nullopt;
  std::string unknown;
  const auto params = proto::parseModifyParams(*text, unknown);
  return params ? *params : proto::ModifyParams();
}

std::optional<std::int32_t> MysqlSchedulerTable::modifySubtaskSlots(
    const Call& call, proto::Life owner, TaskId id, std::int32_t slots, std::int32_t after, std::int32_t limit
) {
  static const std::string text = sql::modifySlotsText();
  const auto modify = [&](Connection& connection) -> std::optional<std::int32_t> {
    std::int64_t step = 0;
    {
      auto task = connection.query(sql::kTaskStateLock, {id.value()});
      if (!task.next() || task.getString(1) != toString(TaskState::kModifying)) return std::nullopt;
      step = task.getInt(2);
    }
    const auto key = proto::taskKeyOf(id);
    std::vector<std::int64_t> ids;
    std::int32_t last = after;
    {
      auto rows =
          connection.query(sql::kStepRows, {key, step, std::int64_t{after}, std::int64_t{std::clamp(limit, 1, 1000)}});
      while (rows.next()) {
        last = static_cast<std::int32_t>(rows.getInt(1));
        ids.push_back(rows.getInt(2));
      }
    }
    if (ids.empty()) return std::nullopt;
    std::sort(ids.begin(), ids.end());
    inPaddedChunks(ids, [&](const std::vector<std::int64_t>& chunk) {
      sqlclient::Values values{std::int64_t{slots}, key};
      values.insert(values.end(), chunk.begin(), chunk.end());
      connection.updateDynamic("scheduler.modify_slots", text, values);
    });
    return last;
  };
  return asOwner(call, owner, "scheduler.modify_slots", modify);
}

bool MysqlSchedulerTable::finishModification(
    const Call& call, proto::Life owner, TaskId id, const proto::ModifyParams& params
) {
  const auto& change = params.change;
  const sqlclient::Values values{
      bindOf(change.slots),
      bindOf(change.max_nodes),
      bindOf(change.priority),
      bindOf(change.meta),
      std::string(toString(params.prev_state)),
      id.value()};
  const auto token = proto::makeRunToken(randomToken(), false);
  return asOwner(call, owner, "scheduler.finish_modification", [&](Connection& connection) {
    if (connection.update(sql::kTaskModified, values) != 1) return readTaskState(connection, id) == params.prev_state;
    chooseAgain(connection, id, change, token);
    constexpr auto kEvent = proto::TaskEvent::kModified;
    const auto from = toString(TaskState::kModifying);
    addTaskEvent(connection, id, EventActor::owner(), kEvent, from, toString(params.prev_state));
    // In the same transaction: who reads the number later knows that the change was there before.
    return connection.update(sql::kCountModification, {}) == 1;
  });
}

}  // namespace disttask::storage::mysql
