#include "events.hpp"

#include "disttask/base/error.hpp"
#include "disttask/base/utf8.hpp"

#include "statements/event.hpp"

#include <utility>

namespace disttask::storage::mysql {

namespace {

using sqlclient::Connection;

constexpr std::size_t kMaxReasonBytes = 1024;
/// Two who add to one task without holding its row (the owner of a subtask's row, and a person) may meet.
constexpr int kMaxTries = 5;

/// One statement in the forms for those who may do something: all but a node the store knows by itself.
struct ByActor {
  const sqlclient::Sql& node;
  const sqlclient::Sql& user;
  const sqlclient::Sql& owner;
};

std::int64_t updateAs(
    Connection& connection, const EventActor& actor, const ByActor& statement, sqlclient::Values values
) {
  switch (actor.kind) {
    case EventActor::Kind::kUser:
      return connection.update(statement.user, values);
    case EventActor::Kind::kOwner:
      return connection.update(statement.owner, values);
    case EventActor::Kind::kNode:
      break;
  }
  values.emplace_back(actor.exec_id);
  return connection.update(statement.node, values);
}

void insertEvent(
    Connection& connection,
    proto::TaskId id,
    const proto::ExecId& exec_id,
    std::int64_t seq,
    const EventActor& actor,
    const Event& event,
    const std::string& reason
) {
  sqlclient::Values values{
      id.value(),
      exec_id,
      seq,
      std::string(event.name),
      event.subtask_id,
      std::string(event.from),
      std::string(event.to),
      event.count,
      actor.text,
      reason};
  updateAs(connection, actor, {sql::kAddEvent, sql::kAddEventOfUser, sql::kAddEventOfOwner}, std::move(values));
}

void add(
    Connection& connection,
    proto::TaskId id,
    const proto::ExecId& exec_id,
    std::int64_t most,
    const EventActor& actor,
    const Event& event
) {
  const auto reason = toValidUtf8(event.reason, kMaxReasonBytes);
  for (int tries = 1;; ++tries) {
    std::int64_t last = 0;
    {
      auto rows = connection.query(sql::kLastEvent, {id.value(), exec_id});
      if (rows.next()) last = rows.getInt(1);
    }
    if (event.count > 0 && event.subtask_id == 0 && last > 0) {
      sqlclient::Values grow{
          event.count,
          id.value(),
          last,
          std::string(event.name),
          std::string(event.from),
          std::string(event.to),
          actor.text,
          reason};
      const ByActor grown{sql::kGrowEvent, sql::kGrowEventOfUser, sql::kGrowEventOfOwner};
      if (updateAs(connection, actor, grown, std::move(grow)) == 1) return;
    }
    try {
      insertEvent(connection, id, exec_id, last + 1, actor, event, reason);
    } catch (const Exception& e) {
      if (e.error().code() != ErrorCode::kAlreadyExists || tries == kMaxTries) throw;
      continue;  // somebody else had this number first
    }
    if (last >= most) connection.update(sql::kDropEvents, {id.value(), exec_id, last + 1 - most});
    return;
  }
}

}  // namespace

void addTaskEvent(Connection& connection, proto::TaskId id, const EventActor& actor, const Event& event) {
  add(connection, id, {}, kMaxTaskEvents, actor, event);
}

void addTaskEvent(
    Connection& connection,
    proto::TaskId id,
    const EventActor& actor,
    proto::TaskEvent event,
    std::string_view from,
    std::string_view to,
    const std::string& reason
) {
  addTaskEvent(connection, id, actor, {.name = toString(event), .from = from, .to = to, .reason = reason});
}

void addSubmitEvent(Connection& connection, proto::TaskId id) {
  const Event event{.name = "submit", .to = toString(proto::TaskState::kPending)};
  insertEvent(connection, id, {}, 1, EventActor::user(), event, {});
}

void addNodeEvent(Connection& connection, const proto::ExecId& exec_id, const EventActor& actor, const Event& event) {
  add(connection, proto::TaskId(), exec_id, kMaxNodeEvents, actor, event);
}

}  // namespace disttask::storage::mysql
