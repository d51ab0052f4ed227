#include "archive.hpp"

#include "archive_file.hpp"
#include "archive_key.hpp"
#include "archive_table.hpp"
#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/table_facts.hpp"

#include <algorithm>
#include <set>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

bool isLocal(const BatchWork& work) {
  return work.archive->connection.empty() || work.archive->connection == work.connection;
}

void requireColumns(sqlclient::Connection& connection, const TableName& to, const std::vector<CopyColumn>& columns) {
  std::set<std::string> present;
  for (const CopyColumn& column : copyColumns(connection, to, true)) present.insert(lower(column.name));
  for (const CopyColumn& column : columns) {
    if (present.count(lower(column.name)) == 0) {
      fail("archive.table: " + to.toString() + " has no column '" + column.name + "'");
    }
  }
}

}  // namespace

std::unique_ptr<Archive> makeArchive(
    const sdk::Host& host,
    plugin_common::Sessions& sessions,
    const PluginConfig& config,
    const TaskNote& note,
    std::int64_t task,
    std::int32_t ordinal,
    BatchSession& session
) {
  if (!note.work.archive) return nullptr;
  const ArchiveOptions& archive = *note.work.archive;
  if (!archive.file.empty()) {
    requireAllowed(archive.file, config.archive_dirs);
    return std::make_unique<FileArchive>(
        note,
        copyColumns(session.connection(), note.work.table, true),
        archivePath(archive.file, session.ledger().storeId(), task, ordinal)
    );
  }
  std::vector<CopyColumn> columns = copyColumns(session.connection(), note.work.table, false);
  if (isLocal(note.work)) {
    session.info().requireSchema(archive.table.schema, "archive.table");
    return std::make_unique<LocalTableArchive>(note, std::move(columns));
  }
  return std::make_unique<RemoteTableArchive>(host, sessions, note, std::move(columns));
}

void checkArchive(
    const sdk::Host& host,
    plugin_common::Sessions& sessions,
    const PluginConfig& config,
    const TaskNote& note,
    BatchSession& session
) {
  if (!note.work.archive) return;
  const ArchiveOptions& archive = *note.work.archive;
  const std::vector<CopyColumn> columns = copyColumns(session.connection(), note.work.table, !archive.file.empty());
  if (!archive.file.empty()) {
    requireAllowed(archive.file, config.archive_dirs);
    return;
  }
  const auto check = [&](sqlclient::Connection& connection) {
    plugin_common::requireTransactionalTable(connection, "archive.table", archive.table.schema, archive.table.table);
    requireColumns(connection, archive.table, columns);
  };
  if (isLocal(note.work)) {
    session.info().requireSchema(archive.table.schema, "archive.table");
    session.info().refuseLedger(archive.table.schema, archive.table.table, "archive.table");
    check(session.connection());
    return;
  }
  const plugin_common::WatchedSession to(
      host, sessions, archive.connection, archiveKind(), archive.table.schema, "archive.table"
  );
  to.info().refuseLedger(archive.table.schema, archive.table.table, "archive.table");
  check(to.connection());
  requireSameKey(session.connection(), to.connection(), note);
}

}  // namespace disttask::sql_batch
