#include "planning.hpp"

#include "disttask/base/sandbox.hpp"
#include "file_planner.hpp"
#include "json_fields.hpp"
#include "statements.hpp"
#include "task_session.hpp"
#include "verification.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace disttask::csv_import {
namespace {

// So much of the file is planned in one batch: nodes begin with the first chunks while the rest is still being cut.
constexpr std::uint64_t kBatchBytes = std::uint64_t{64} << 20;
constexpr std::int32_t kMaxVerifyParts = 64;

void checkRejectsDir(const ImportOptions& options, const PluginConfig& config) {
  if (options.max_bad_records == 0) return;
  if (config.rejects_dir.empty())
    fail("max_bad_records: needs a directory for rejects, plugins.config.csv_import.rejects_dir");
  if (::access(config.rejects_dir.c_str(), W_OK | X_OK) != 0) {
    const std::string why = std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is safe
    throw FileMissing(
        "plugins.config.csv_import.rejects_dir '" + config.rejects_dir + "' cannot be written to on this node: " + why +
        sandboxWriteHint(config.rejects_dir)
    );
  }
}

// A dry run plans for a task that does not exist, and leaves nothing behind.
bool isTrial(const sdk::Task& task) {
  return task.id == 0;
}

bool hasRows(const TaskSession& session, const ImportOptions& options) {
  auto rows =
      session.connection().queryDynamic("csv_import.any_row", statements::anyRow(options.schema, options.table), {});
  return rows.next();
}

// Goes on with the ledger rows of an earlier task, if both do the same work on the same file.
TaskNote noteOfResumed(const TaskSession& session, std::int64_t earlier, const TaskNote& own) {
  auto note = session.ledger().readNote(session.connection(), earlier);
  const std::string name = "resume_of: task " + std::to_string(earlier);
  if (!note) fail(name + " left nothing in the ledger of this connection; submit without resume_of");
  if (note->identity != own.identity) {
    fail(name + " was submitted with other options: " + note->identity + " then, " + own.identity + " now");
  }
  if (note->file != own.file || note->columns != own.columns) {
    fail(
        name + " read another state of the file: " + std::to_string(note->file.size) + " bytes of " +
        std::to_string(note->file.mtime_ns) + " ns then, " + std::to_string(own.file.size) + " bytes of " +
        std::to_string(own.file.mtime_ns) + " ns now"
    );
  }
  return *std::move(note);
}

// Old tasks' rows go when a new task comes; that this did not work is no reason to refuse the new one.
void forgetOlder(const sdk::Host& host, const TaskSession& session, std::int64_t days) {
  try {
    session.ledger().forgetOlder(session.connection(), days);
  } catch (const Exception& exception) {
    host.log(sdk::LogLevel::kWarn, "old ledger rows stay: " + exception.error().message());
  }
}

void checkTarget(
    const TaskSession& session, const sdk::Task& task, const ImportOptions& options, const PlanCursor& head
) {
  static_cast<void>(describeTarget(session.connection(), options.schema, options.table, head.columns));
  TaskNote note;
  note.root = task.id;
  note.identity = identityOf(options);
  note.file = head.file;
  note.columns = head.columns;
  if (options.resume_of) note.root = noteOfResumed(session, *options.resume_of, note).root;
  // A batch that is planned again after its first chunks were imported finds their rows.
  const bool must_be_empty = options.into == Into::kEmpty && !options.resume_of;
  if (must_be_empty && hasRows(session, options) &&
      session.ledger().sums(session.connection(), task.id, kStepImport).count == 0) {
    fail("target: table " + options.schema + "." + options.table + " is not empty, and into is 'empty'");
  }
  if (!isTrial(task)) session.ledger().putNote(session.connection(), task.id, note);
}

void noteTotals(
    const sdk::Host& host,
    const sdk::Task& task,
    const ImportOptions& options,
    Sessions& sessions,
    const PlanCursor& end
) {
  const TaskSession session(host, sessions, options, Purpose::kImport);
  TaskNote note = session.note(task.id);
  note.totals = end.done;
  session.ledger().putNote(session.connection(), task.id, note);
}

}  // namespace

sdk::Cursor planImport(
    sdk::Planning& planning,
    const sdk::Task& task,
    const ImportOptions& options,
    const PluginConfig& config,
    Sessions& sessions,
    std::string_view cursor
) {
  const SourceFile file(options.file, config.allowed_dirs);
  PlanCursor at;
  if (cursor.empty()) {
    checkRejectsDir(options, config);
    at = readHead(file, options);
    const TaskSession session(planning, sessions, options, Purpose::kImport);
    // First: what it deletes cannot be resumed.
    if (!isTrial(task)) forgetOlder(planning, session, config.ledger_days);
    checkTarget(session, task, options, at);
  } else {
    at = PlanCursor::parse(cursor);
    // The rest of the file is cut by the options that the first batch was planned with, or not at all.
    if (!isTrial(task)) static_cast<void>(TaskSession(planning, sessions, options, Purpose::kImport).note(task.id));
  }
  std::uint64_t bytes = 0;
  const auto take = [&](const ChunkMeta& chunk) {
    const std::string meta = chunk.dump();
    if (bytes >= kBatchBytes || !planning.hasRoom(meta.size())) return false;
    planning.addSubtask(meta);
    bytes += chunk.bytes;
    return true;
  };
  const bool complete = planChunks(file, options, at, take, [&] { planning.throwIfCancelled(); });
  if (complete && !isTrial(task)) noteTotals(planning, task, options, sessions, at);
  return {at.dump(), complete};
}

sdk::Cursor planVerify(
    sdk::Planning& planning, const sdk::Task& task, const ImportOptions& options, Sessions& sessions
) {
  ImportTotals totals;
  planning.readResults(kStepImport, 0, [&](std::int32_t, std::string_view meta) {
    totals.add(ChunkResult::parse(meta));
    return true;
  });
  const TaskSession session(planning, sessions, options, Purpose::kVerify);
  const TaskNote note = session.note(task.id);
  if (note.totals && (note.totals->chunks != totals.chunks || note.totals->records != totals.records)) {
    throw Exception(
        ErrorCode::kPrecondition,
        "verification failed: " + std::to_string(totals.records) + " records in " + std::to_string(totals.chunks) +
            " chunks were imported, planned were " + std::to_string(note.totals->records) + " in " +
            std::to_string(note.totals->chunks)
    );
  }
  const TargetTable target = describeTarget(session.connection(), options.schema, options.table, note.columns);
  const std::int32_t max_parts = std::clamp(planning.maxRows(), 1, kMaxVerifyParts);
  for (const VerifyMeta& meta : planVerification(session.connection(), options, target, totals, max_parts)) {
    planning.addSubtask(meta.dump());
  }
  return {"{}", true};
}

}  // namespace disttask::csv_import
