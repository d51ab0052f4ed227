#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/proto/task_event.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::storage::mysql {

/// Events that one task keeps, and one node; older ones are deleted when new ones come.
inline constexpr std::int64_t kMaxTaskEvents = 500;
inline constexpr std::int64_t kMaxNodeEvents = 100;

/// Who does something, as an event keeps it.
struct EventActor {
  enum class Kind : std::uint8_t { kUser, kOwner, kNode };
  Kind kind = Kind::kUser;
  const char* text = "submitter";
  proto::ExecId exec_id{};  ///< kNode only; the others the store knows

  static EventActor user() { return {}; }
  /// Whoever saw that a node does not renew its lease: the owner, or who waits for its id.
  static EventActor observer() { return {Kind::kUser, "observer", {}}; }
  /// For transactions that begin with the owner's fence.
  static EventActor owner() { return {Kind::kOwner, "owner", {}}; }
  static EventActor planner(proto::ExecId exec_id) { return {Kind::kNode, "planner", std::move(exec_id)}; }
  static EventActor node(proto::ExecId exec_id) { return {Kind::kNode, "node", std::move(exec_id)}; }
};

/// One row of disttask_event to be written.
struct Event {
  std::string_view name;
  std::string_view from{};
  std::string_view to{};
  std::string reason{};  ///< cut to 1 KiB of valid UTF-8
  std::int64_t subtask_id = 0;
  std::int64_t count = 0;  ///< of subtasks: added to the last event when that is the same but for the count
};

/// Writes an event of a task, last in the transaction that does it, on its connection.
void addTaskEvent(sqlclient::Connection& connection, proto::TaskId id, const EventActor& actor, const Event& event);
/// The same of a change of its state.
void addTaskEvent(
    sqlclient::Connection& connection,
    proto::TaskId id,
    const EventActor& actor,
    proto::TaskEvent event,
    std::string_view from,
    std::string_view to,
    const std::string& reason = {}
);
/// The first event of a task that was inserted in this transaction.
void addSubmitEvent(sqlclient::Connection& connection, proto::TaskId id);
/// Writes an event of a node.
void addNodeEvent(
    sqlclient::Connection& connection, const proto::ExecId& exec_id, const EventActor& actor, const Event& event
);

}  // namespace disttask::storage::mysql
