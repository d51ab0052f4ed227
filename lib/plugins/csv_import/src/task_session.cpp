#include "task_session.hpp"

#include "json_fields.hpp"

namespace disttask::csv_import {

TaskSession::TaskSession(const sdk::Host& host, Sessions& sessions, const ImportOptions& options, Purpose purpose)
    : options_(options),
      session_(host, sessions, options.connection, sessionKind(purpose), options.schema, "target.schema"),
      ledger_(session_.info().ledger, session_.info().store_id, session_.info().name) {
  session_.info().refuseLedger(options.schema, options.table, "target");
}

TaskNote TaskSession::note(std::int64_t task) const {
  auto note = ledger_.readNote(connection(), task);
  if (!note) {
    throw Exception(
        ErrorCode::kPrecondition, "the ledger knows nothing about task " + std::to_string(task) + "; was it emptied?"
    );
  }
  const std::string identity = identityOf(options_);
  if (note->identity != identity) {
    fail(
        "the task meta was changed: an import keeps the options that it was planned with, but for connection and "
        "max_bad_records; planned was " +
        note->identity + ", now it is " + identity
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
