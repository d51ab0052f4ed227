#include "batch_session.hpp"

#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/names.hpp"

namespace disttask::sql_batch {
namespace {

using plugin_common::memberAt;
using plugin_common::SessionKind;

// A chunk that waits longer for a lock, of rows or of a table's definition, is rolled back: the others come first.
constexpr const char* kLockWait = "set session innodb_lock_wait_timeout = 2, lock_wait_timeout = 2";
constexpr const char* kNames = "set names utf8mb4";
// The same on every node and server. Without ANSI_QUOTES and NO_BACKSLASH_ESCAPES: the statement was read that way.
constexpr const char* kSqlMode =
    "set session sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION'";
constexpr const char* kCopyMode =
    "set session sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,"
    "NO_AUTO_VALUE_ON_ZERO'";

}  // namespace

const SessionKind& batchKind() {
  static const SessionKind kKind{
      "sql_batch", std::chrono::seconds(600), std::chrono::seconds(60), false, {kNames, kSqlMode, kLockWait}};
  return kKind;
}

const SessionKind& archiveKind() {
  // Times go over as seconds since 1970.
  static const SessionKind kKind{
      "sql_batch_archive",
      std::chrono::seconds(60),
      std::chrono::seconds(60),
      false,
      {kNames,
       "set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'",
       kLockWait,
       "set session time_zone = '+00:00'"}};
  return kKind;
}

const SessionKind& replicaKind() {
  static const SessionKind kKind{
      "sql_batch_replica", std::chrono::seconds(5), std::chrono::seconds(5), false, {kNames}};
  return kKind;
}

std::string TaskNote::dump() const {
  Json json;
  json["work"] = work.toJson();
  json["key"] = key.toJson();
  json["last"] = toJson(last);
  json["segments"] = segments;
  json["rows"] = rows;
  return json.dump();
}

TaskNote TaskNote::parse(std::string_view text) {
  const std::string what = "ledger note";
  const Json json = plugin_common::parseObject(text, what);
  TaskNote note;
  note.work = parseWork(memberAt(json, "work", what).dump());
  note.key = TableKey::fromJson(memberAt(json, "key", what));
  note.last = keyValuesAt(json, "last");
  note.segments = memberAt(json, "segments", what).asInt();
  note.rows = memberAt(json, "rows", what).asInt();
  return note;
}

BatchSession::BatchSession(const sdk::Host& host, plugin_common::Sessions& sessions, const Place& place)
    : session_(host, sessions, place.connection, batchKind(), place.schema, "table"),
      ledger_(session_.info().ledger, session_.info().store_id, session_.info().name) {
  session_.connection().execute("use " + plugin_common::quoted(place.schema));
}

TaskNote BatchSession::note(std::int64_t task) const {
  const auto note = ledger_.readNote(connection(), task);
  if (!note) {
    throw Exception(
        ErrorCode::kPrecondition, "the ledger knows nothing about task " + std::to_string(task) + "; was it emptied?"
    );
  }
  return TaskNote::parse(*note);
}

CopyMode::CopyMode(sqlclient::Connection& connection) : connection_(connection) {
  connection_.execute(kCopyMode);
}

CopyMode::~CopyMode() {
  if (connection_.isBroken()) return;
  try {
    connection_.execute(kSqlMode);
  } catch (const Exception&) {  // the statement may not run in this mode
    connection_.markBroken();
  }
}

std::string progressText(const BatchSession& session, std::int64_t task) noexcept {
  try {
    const TaskNote note = session.note(task);
    const BatchSums sums = session.ledger().sums(session.connection(), task);
    std::string text = std::to_string(sums.segments_done);
    if (note.segments >= 0) text += " of " + std::to_string(note.segments);
    text += " subtasks, " + std::to_string(sums.walked);
    if (note.segments >= 0) text += " of " + std::to_string(note.rows);
    return text + " rows, " + std::to_string(sums.changed) + " changed";
  } catch (...) {  // only an addition to something else
    return {};
  }
}

}  // namespace disttask::sql_batch
