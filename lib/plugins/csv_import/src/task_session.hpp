#pragma once
#include "disttask/base/error.hpp"
#include "disttask_plugin.hpp"
#include "import_options.hpp"
#include "ledger.hpp"
#include "sessions.hpp"
#include "source_file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace disttask::csv_import {

/// A session on a task's connection with the ledger that goes with it; holds one of the connection's places on this
/// node. Once the host's call is cancelled, whatever waits for the server in it ends within half a second, also when
/// the server or the network is mute (kStoreUnavailable); its end then also ends the server's side, which takes a
/// second or two more, unless the lease is lost and there is no time. One thread.
class TaskSession {
 public:
  /// Waits for a place. Throws what the host throws for the connection, and what Connection::open throws.
  TaskSession(const sdk::Host& host, Sessions& sessions, const ImportOptions& options, Purpose purpose);
  TaskSession(const TaskSession&) = delete;
  TaskSession& operator=(const TaskSession&) = delete;
  ~TaskSession();

  [[nodiscard]] sqlclient::Connection& connection() const noexcept { return **lease_; }
  [[nodiscard]] const Ledger& ledger() const noexcept { return ledger_; }
  /// Returns what the planner noted about the task. Throws kPrecondition when it noted nothing.
  [[nodiscard]] TaskNote note(std::int64_t task) const;

 private:
  const sdk::Host host_;
  sdk::Host::ConnectionPlace place_;  // given back after the session
  ConnectionInfo info_;
  Ledger ledger_;
  std::optional<sqlclient::CallWatch::Section> watching_;  // around all that the session does
  std::optional<Sessions::Lease> lease_;
};

/// Returns how far an import has come, for people: "…; a task with resume_of: 7 continues". Empty when the store does
/// not tell.
[[nodiscard]] std::string remainingText(const TaskSession& session, std::int64_t task) noexcept;

/// Runs `body`; what it throws becomes what the host understands: retry later, hand back, cancelled, or failed with the
/// text.
template <typename F>
auto translated(F&& body) {
  try {
    return std::forward<F>(body)();
  } catch (const FileMissing& missing) {
    throw sdk::HandBack(missing.error().message());
  } catch (const Exception& exception) {
    const Error& error = exception.error();
    switch (error.reaction()) {
      case Reaction::kCancelled:
        throw sdk::Cancelled();
      case Reaction::kRetry:
      case Reaction::kBackOff:
      case Reaction::kReconnect:
        throw sdk::RetryLater(error.message());
      case Reaction::kGiveUp:
      case Reaction::kLost:
        break;
    }
    throw sdk::Failure(error.message());
  }
}

}  // namespace disttask::csv_import
