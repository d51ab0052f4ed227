#include "task_session.hpp"

namespace disttask::csv_import {
namespace {

/// What a call that is just being answered gets to end by itself.
constexpr std::chrono::milliseconds kGrace{250};

ConnectionInfo allowedConnection(const sdk::Host& host, const ImportOptions& options) {
  ConnectionInfo info = parseConnection(options.connection, host.connection(options.connection));
  info.requireSchema(options.schema);
  return info;
}

}  // namespace

TaskSession::TaskSession(const sdk::Host& host, Sessions& sessions, const ImportOptions& options, Purpose purpose)
    : host_(host),
      place_(host.acquireConnection(options.connection)),
      info_(allowedConnection(host, options)),
      ledger_(info_.ledger, info_.store_id, info_.name),
      watching_(sessions.watch().open([host] { return host.cancelled(); }, kGrace)),
      lease_(sessions.take(info_, purpose)) {}

TaskSession::~TaskSession() {
  const bool given_up =
      connection().isBroken() && host_.cancelled() && host_.cancelCause() != DISTTASK_CAUSE_LEASE_LOST;
  const auto connection_id = connection().connectionId();
  lease_.reset();
  watching_.reset();
  if (given_up) Sessions::endOnServer(info_, connection_id);
}

TaskNote TaskSession::note(std::int64_t task) const {
  auto note = ledger_.readNote(connection(), task);
  if (!note) {
    throw Exception(
        ErrorCode::kPrecondition, "the ledger knows nothing about task " + std::to_string(task) + "; was it emptied?"
    );
  }
  return *std::move(note);
}

std::string remainingText(const TaskSession& session, std::int64_t task) noexcept {
  try {
    const auto note = session.ledger().readNote(session.connection(), task);
    if (!note) return {};
    const LedgerSums done = session.ledger().sums(session.connection(), note->root, kStepImport);
    std::string text =
        std::to_string(done.total.records) + " records in " + std::to_string(done.count) + " chunks are imported";
    if (note->totals) {
      text += ", " + std::to_string(note->totals->records - done.total.records) + " records in " +
              std::to_string(note->totals->chunks - done.count) + " chunks remain";
    }
    return text + "; a task with \"resume_of\": " + std::to_string(task) + " continues with the same file";
  } catch (...) {  // only an addition to another error
    return {};
  }
}

}  // namespace disttask::csv_import
