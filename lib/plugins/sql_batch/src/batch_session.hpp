#pragma once
#include "batch_ledger.hpp"
#include "batch_options.hpp"
#include "disttask/plugin_common/watched_session.hpp"
#include "segment_meta.hpp"

#include <cstdint>
#include <string>

namespace disttask::sql_batch {

/// What the planner found out about a task, kept in the ledger: every node works by it, whatever becomes of the meta.
struct TaskNote {
  BatchWork work;
  TableKey key;
  KeyValues last;              ///< the planned maximum
  std::int64_t segments = -1;  ///< of the whole task; -1: planning still goes on
  std::int64_t rows = 0;       ///< rows planned, with segments

  [[nodiscard]] std::string dump() const;
  [[nodiscard]] static TaskNote parse(std::string_view text);
};

/// How sessions on the target are set up; `archive` likewise on the server of an archive.
[[nodiscard]] const plugin_common::SessionKind& batchKind();
[[nodiscard]] const plugin_common::SessionKind& archiveKind();
[[nodiscard]] const plugin_common::SessionKind& replicaKind();

/// Returns where a task with this work is planned.
[[nodiscard]] inline Place placeOf(const BatchWork& work) {
  return {work.connection, work.table.schema};
}

/// A watched session on a task's connection, in the table's schema, with the ledger that goes with it. One thread.
class BatchSession {
 public:
  /// Waits for a place. Throws what the host throws for the connection, and what Connection::open throws.
  BatchSession(const sdk::Host& host, plugin_common::Sessions& sessions, const Place& place);
  BatchSession(const BatchSession&) = delete;
  BatchSession& operator=(const BatchSession&) = delete;

  [[nodiscard]] sqlclient::Connection& connection() const noexcept { return session_.connection(); }
  [[nodiscard]] const plugin_common::ConnectionInfo& info() const noexcept { return session_.info(); }
  [[nodiscard]] const BatchLedger& ledger() const noexcept { return ledger_; }
  /// Returns what the planner noted. Throws kPrecondition when it noted nothing.
  [[nodiscard]] TaskNote note(std::int64_t task) const;

 private:
  plugin_common::WatchedSession session_;
  BatchLedger ledger_;
};

/// While it lives, rows that the session copies stay as they are: a number 0 in an AUTO_INCREMENT column and dates of
/// zeros, which the session's own sql_mode would number anew or refuse.
class CopyMode {
 public:
  explicit CopyMode(sqlclient::Connection& connection);
  CopyMode(const CopyMode&) = delete;
  CopyMode& operator=(const CopyMode&) = delete;
  ~CopyMode();

 private:
  sqlclient::Connection& connection_;
};

/// Returns how far a task has come, for people: "12 of 40 subtasks, 600000 of 2000000 rows". Empty when the store does
/// not tell.
[[nodiscard]] std::string progressText(const BatchSession& session, std::int64_t task) noexcept;

}  // namespace disttask::sql_batch
