#include "archive.hpp"

#include "archive_file.hpp"
#include "archive_table.hpp"
#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/table_facts.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

constexpr sqlclient::Sql kUniqueKeys{
    "sql_batch.unique_keys",
    "select index_name, lower(column_name) from information_schema.statistics "
    "where table_schema = ? and table_name = ? and non_unique = 0"};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

bool isLocal(const BatchWork& work) {
  return work.archive->connection.empty() || work.archive->connection == work.connection;
}

// A row that was copied before a crash is copied again: only a key of the same columns keeps it from being there twice,
// and no other unique key may make two rows one.
void requireSameKey(sqlclient::Connection& connection, const TaskNote& note) {
  const TableName& to = note.work.archive->table;
  std::map<std::string, std::set<std::string>> keys;
  auto rows = connection.query(kUniqueKeys, {to.schema, to.table});
  while (rows.next()) keys[rows.getString(1)].insert(rows.getString(2));
  std::set<std::string> wanted;
  std::string list;
  for (const KeyColumn& column : note.key.columns) {
    wanted.insert(lower(column.name));
    list += (list.empty() ? "" : ", ") + column.name;
  }
  bool found = false;
  for (const auto& [name, columns] : keys) {
    if (columns != wanted) {
      fail(
          "archive.table: " + to.toString() + " has another unique key, '" + name +
          "'; rows could replace each other there"
      );
    }
    found = true;
  }
  if (!found) {
    fail(
        "archive.table: " + to.toString() + " needs a primary or unique key (" + list +
        "), so that no row is in it twice"
    );
  }
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
        note, copyColumns(session.connection(), note.work.table, true), archivePath(archive.file, task, ordinal)
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
  requireSameKey(to.connection(), note);
}

}  // namespace disttask::sql_batch
