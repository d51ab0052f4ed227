#pragma once
#include "disttask/plugin_common/translated.hpp"
#include "disttask/plugin_common/watched_session.hpp"
#include "disttask_plugin.hpp"
#include "import_options.hpp"
#include "ledger.hpp"
#include "sessions.hpp"
#include "source_file.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace disttask::csv_import {

/// A watched session on a task's connection, with the ledger that goes with it. One thread.
class TaskSession {
 public:
  /// Waits for a place; `options` must outlive it. Throws what the host throws for the connection, what
  /// Connection::open throws, and kInvalidArgument when the target is the ledger.
  TaskSession(const sdk::Host& host, Sessions& sessions, const ImportOptions& options, Purpose purpose);
  TaskSession(const TaskSession&) = delete;
  TaskSession& operator=(const TaskSession&) = delete;

  [[nodiscard]] sqlclient::Connection& connection() const noexcept { return session_.connection(); }
  [[nodiscard]] const Ledger& ledger() const noexcept { return ledger_; }
  /// Returns what the planner noted about the task. Throws kPrecondition when it noted nothing, kInvalidArgument when
  /// the options are others than it noted: the meta was changed, and chunks of two kinds would make one import.
  [[nodiscard]] TaskNote note(std::int64_t task) const;

 private:
  const ImportOptions& options_;
  plugin_common::WatchedSession session_;
  Ledger ledger_;
};

/// Returns how far an import has come, for people: "…; a task with resume_of: 7 continues". Empty when the store does
/// not tell.
[[nodiscard]] std::string remainingText(const TaskSession& session, std::int64_t task) noexcept;

/// As plugin_common::translated; a file that is not on this node is handed back.
template <typename F>
auto translated(F&& body) {
  return plugin_common::translated([&] {
    try {
      return std::forward<F>(body)();
    } catch (const FileMissing& missing) {
      throw sdk::HandBack(missing.error().message());
    }
  });
}

}  // namespace disttask::csv_import
