#include "batch_options.hpp"

#include "disttask/plugin_common/json_fields.hpp"

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;
using plugin_common::intAt;
using plugin_common::nonEmptyTextAt;

// It stands in the ledger's note, beside the key.
constexpr std::size_t kMaxStatementBytes = 32 * 1024;

TableName tableAt(const Json& value, const std::string& where) {
  const std::string text = nonEmptyTextAt(value, where);
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == text.size()) {
    fail(where + ": expected SCHEMA.TABLE, found '" + text + "'");
  }
  return {text.substr(0, dot), text.substr(dot + 1)};
}

ArchiveOptions archiveAt(const Json& value) {
  if (!value.isObject()) {
    fail(R"(archive: expected an object with "table" or "file", found )" + std::string(value.kindName()));
  }
  ArchiveOptions archive;
  for (const auto& [key, item] : value.asObject()) {
    if (key == "table") {
      archive.table = tableAt(item, "archive.table");
    } else if (key == "connection") {
      archive.connection = nonEmptyTextAt(item, "archive.connection");
    } else if (key == "file") {
      archive.file = nonEmptyTextAt(item, "archive.file");
      if (archive.file[0] != '/') fail("archive.file: expected an absolute path, found '" + archive.file + "'");
    } else {
      fail("archive." + key + ": no such key; expected table, connection, file");
    }
  }
  const bool has_table = !archive.table.table.empty();
  if (has_table == !archive.file.empty()) fail("archive: expected either table or file");
  if (!has_table && !archive.connection.empty()) fail("archive.connection: goes with archive.table");
  return archive;
}

void readAllow(const Json& value, BatchWork& work) {
  if (!value.isArray()) fail("allow: expected a list, found " + std::string(value.kindName()));
  for (const Json& item : value.asArray()) {
    const std::string what = plugin_common::textAt(item, "allow");
    if (what == "triggers") {
      work.allow_triggers = true;
    } else if (what == "cascades") {
      work.allow_cascades = true;
    } else if (what == "full_scan") {
      work.allow_full_scan = true;
    } else {
      fail("allow: expected triggers, cascades, full_scan, found '" + what + "'");
    }
  }
}

void readWork(const std::string& key, const Json& value, BatchWork& work) {
  if (key == "connection") {
    work.connection = nonEmptyTextAt(value, key);
  } else if (key == "statement") {
    work.statement = nonEmptyTextAt(value, key);
    if (work.statement.size() > kMaxStatementBytes) {
      fail("statement: has " + std::to_string(work.statement.size()) + " bytes, expected 32768 at most");
    }
  } else if (key == "table") {
    work.table = tableAt(value, key);
  } else if (key == "key") {
    work.key = nonEmptyTextAt(value, key);
  } else if (key == "subtask_rows") {
    work.subtask_rows = intAt(value, key, 1, 100'000'000);
  } else if (key == "archive") {
    work.archive = archiveAt(value);
  } else if (key == "allow") {
    readAllow(value, work);
  } else if (key == "dry_run") {
    if (!value.isBool()) fail("dry_run: expected true or false, found " + std::string(value.kindName()));
    work.dry_run = value.asBool();
  } else {
    fail(
        key +
        ": no such key; expected connection, statement, table, key, subtask_rows, archive, allow, dry_run, chunk_rows, "
        "chunk_time, max_lag, replicas, max_load, critical_load, sleep_ratio, window"
    );
  }
}

void checkArchive(const BatchWork& work) {
  if (!work.archive) return;
  const BatchStatement statement = parseStatement(work.statement, work.table);
  if (statement.kind != StatementKind::kDelete) {
    fail("archive: goes with a DELETE, and the statement is an " + std::string(toString(statement.kind)));
  }
  if (!statement.plain || !statement.alias.empty()) {
    fail(
        "archive: needs a DELETE of one table without alias, DELETE FROM " + work.table.toString() + " WHERE {range} …"
    );
  }
  if (work.archive->table == work.table &&
      (work.archive->connection.empty() || work.archive->connection == work.connection)) {
    fail("archive.table: is the table that rows are deleted from");
  }
}

}  // namespace

Json BatchWork::toJson() const {
  Json json;
  json["connection"] = connection;
  json["statement"] = statement;
  json["table"] = table.toString();
  json["key"] = key;
  json["subtask_rows"] = subtask_rows;
  if (archive) {
    Json item;
    if (archive->file.empty()) {
      item["table"] = archive->table.toString();
      if (!archive->connection.empty()) item["connection"] = archive->connection;
    } else {
      item["file"] = archive->file;
    }
    json["archive"] = std::move(item);
  }
  json["allow"] = Json(Json::Array{});
  if (allow_triggers) json["allow"].push("triggers");
  if (allow_cascades) json["allow"].push("cascades");
  if (allow_full_scan) json["allow"].push("full_scan");
  json["dry_run"] = dry_run;
  return json;
}

BatchOptions parseOptions(std::string_view meta) {
  const Json json = plugin_common::parseObject(meta, "task meta");
  BatchOptions options;
  for (const auto& [key, value] : json.asObject()) {
    if (!readThrottle(key, value, options.throttle)) readWork(key, value, options.work);
  }
  const BatchWork& work = options.work;
  if (work.connection.empty()) fail("connection: missing");
  if (work.table.table.empty()) fail("table: missing");
  if (work.statement.empty()) fail("statement: missing");
  static_cast<void>(parseStatement(work.statement, work.table));
  checkArchive(work);
  checkThrottles(options.throttle);
  return options;
}

BatchWork parseWork(std::string_view json) {
  return parseOptions(json).work;
}

}  // namespace disttask::sql_batch
