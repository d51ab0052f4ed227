#include "archive_table.hpp"

#include "disttask/base/failpoint.hpp"
#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/names.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;
using plugin_common::quoted;

constexpr std::size_t kInsertValues = 20'000;  // of one insert; servers take 65535 binds
constexpr std::size_t kInsertBytes = std::size_t{2} << 20;
constexpr sqlclient::Sql kColumns{
    "sql_batch.archive_columns",
    "select column_name, lower(data_type), lower(extra) from information_schema.columns "
    "where table_schema = ? and table_name = ? order by ordinal_position"};

constexpr std::array<std::string_view, 11> kCannotCarry = {
    "bit",
    "vector",
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geomcollection",
    "geometrycollection"};

std::string selectList(const std::vector<CopyColumn>& columns) {
  std::string text;
  for (const CopyColumn& column : columns) text += (text.empty() ? "" : ", ") + column.read;
  return text;
}

std::size_t bytesOf(const sqlclient::Values& row) {
  std::size_t bytes = 0;
  for (const auto& value : row) {
    const auto* text = std::get_if<std::string>(&value);
    bytes += text == nullptr ? 8 : text->size();
  }
  return bytes;
}

}  // namespace

std::vector<CopyColumn> copyColumns(sqlclient::Connection& connection, const TableName& table, bool as_text) {
  std::vector<CopyColumn> columns;
  auto rows = connection.query(kColumns, {table.schema, table.table});
  while (rows.next()) {
    const std::string type = rows.getString(2);
    const std::string extra = rows.getString(3);
    const bool generated = extra.find("virtual") != std::string::npos || extra.find("stored") != std::string::npos ||
                           extra.find("persistent") != std::string::npos;
    if (generated) continue;
    CopyColumn column{rows.getString(1), quoted(rows.getString(1)), "?", type == "double" || type == "float"};
    if (std::find(kCannotCarry.begin(), kCannotCarry.end(), type) != kCannotCarry.end()) {
      fail("archive: column '" + column.name + "' is of type " + type + ", which cannot be carried over");
    }
    if (type == "float") {
      column.read = "cast(" + column.read + " as double)";
    } else if (type == "json") {
      column.read = "cast(" + column.read + " as char)";
      column.write = "convert(? using utf8mb4)";
    } else if (type == "timestamp" && !as_text) {
      column.read = "cast(unix_timestamp(" + column.read + ") as char)";  // an hour may come twice a year
      // No timestamp lies in the first second of 1970: that number is the date of zeros.
      column.write = "replace(from_unixtime(?), '1970-01-01 00:00:00', '0000-00-00 00:00:00')";
    } else if (type != "double" && type.find("blob") == std::string::npos && type.find("binary") == std::string::npos) {
      column.read = "cast(" + column.read + " as char)";
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string nameList(const std::vector<CopyColumn>& columns) {
  std::string text;
  for (const CopyColumn& column : columns) text += (text.empty() ? "" : ", ") + quoted(column.name);
  return text;
}

sqlclient::Value valueAt(const sqlclient::Result& rows, std::uint32_t column, const CopyColumn& how) {
  if (rows.isNull(column)) return nullptr;
  if (how.is_double) return rows.getDouble(column);
  return rows.getString(column);
}

LocalTableArchive::LocalTableArchive(const TaskNote& note, std::vector<CopyColumn> columns)
    : note_(note), statement_(parseStatement(note.work.statement, note.work.table)), columns_(std::move(columns)) {}

std::int64_t
LocalTableArchive::copy(sqlclient::Connection& connection, const std::string& condition, SegmentProgress&) {
  const TableName& to = note_.work.archive->table;
  const std::string names = nameList(columns_);
  const CopyMode mode(connection);
  return connection.execute(
      "insert into " + quoted(to.schema, to.table) + " (" + names + ") " +
      statement_.renderSelect(names, note_.work.table, condition)
  );
}

RemoteTableArchive::RemoteTableArchive(
    const sdk::Host& host, plugin_common::Sessions& sessions, const TaskNote& note, std::vector<CopyColumn> columns
)
    : host_(host),
      sessions_(sessions),
      note_(note),
      statement_(parseStatement(note.work.statement, note.work.table)),
      columns_(std::move(columns)) {}

std::int64_t
RemoteTableArchive::copy(sqlclient::Connection& connection, const std::string& condition, SegmentProgress&) {
  std::vector<sqlclient::Values> found;
  {
    auto rows = connection.queryDynamic(
        "sql_batch.archive_select", statement_.renderSelect(selectList(columns_), note_.work.table, condition), {}
    );
    while (rows.next()) {
      sqlclient::Values row;
      for (std::uint32_t i = 0; i != columns_.size(); ++i) row.push_back(valueAt(rows, i + 1, columns_[i]));
      found.push_back(std::move(row));
    }
  }
  if (found.empty()) return 0;
  DISTTASK_FAILPOINT("sql_batch.archive_read");
  const ArchiveOptions& archive = *note_.work.archive;
  const plugin_common::WatchedSession to(
      host_, sessions_, archive.connection, archiveKind(), archive.table.schema, "archive.table"
  );
  sqlclient::Transaction transaction(to.connection());
  write(to.connection(), found);
  // A run that stood still has lost the locks with its session, and another one may have moved the rows since then.
  // When it stands still only after this, the archive's server ends its session before the other one is ended.
  if (!connection.ping()) {
    throw Exception(
        ErrorCode::kStoreUnavailable, "archive: the session with the locked rows was lost; nothing is copied"
    );
  }
  transaction.commit();
  DISTTASK_FAILPOINT("sql_batch.archived");
  return static_cast<std::int64_t>(found.size());
}

void RemoteTableArchive::write(sqlclient::Connection& to, const std::vector<sqlclient::Values>& rows) {
  const ArchiveOptions& archive = *note_.work.archive;
  std::string row_text;
  std::string update;
  for (const CopyColumn& column : columns_) {
    row_text += (row_text.empty() ? "(" : ", ") + column.write;
    update += (update.empty() ? "" : ", ") + quoted(column.name) + " = values(" + quoted(column.name) + ")";
  }
  row_text += ")";
  const std::size_t most = std::max<std::size_t>(kInsertValues / columns_.size(), 1);
  for (std::size_t first = 0; first < rows.size();) {
    std::string text =
        "insert into " + quoted(archive.table.schema, archive.table.table) + " (" + nameList(columns_) + ") values ";
    sqlclient::Values values;
    std::size_t bytes = 0;
    std::size_t count = 0;
    while (first < rows.size() && count < most && (count == 0 || bytes < kInsertBytes)) {
      text += (count == 0 ? "" : ", ") + row_text;
      values.insert(values.end(), rows[first].begin(), rows[first].end());
      bytes += bytesOf(rows[first]);
      ++first;
      ++count;
    }
    to.updateDynamic("sql_batch.archive_insert", text + " on duplicate key update " + update, values);
  }
}

}  // namespace disttask::sql_batch
