#include "batch_ledger.hpp"

#include "disttask/plugin_common/json_fields.hpp"
#include "disttask/plugin_common/ledger_errors.hpp"
#include "disttask/plugin_common/names.hpp"

#include <vector>

namespace disttask::sql_batch {
namespace {

// The table's columns have csv_import's names. Here num_bytes counts chunks, num_records rows of the key range,
// num_rows changed rows, and bad_records is 1 once the subtask is done; of step 0's row, once the task has ended.
constexpr const char* kWhere = " where store_id = ? and task_id = ? and step = ? and ordinal = ?";

std::string noteOf(const SegmentProgress& progress) {
  Json json;
  json["position"] = toJson(progress.position);
  if (!progress.files.empty()) {
    Json files;
    for (const auto& [name, length] : progress.files) files[name] = length;
    json["files"] = std::move(files);
  }
  return json.dump();
}

void addValues(sqlclient::Values& values, const sqlclient::Values& more) {
  values.insert(values.end(), more.begin(), more.end());
}

}  // namespace

BatchLedger::BatchLedger(std::string table, std::string store_id, std::string connection_name)
    : name_(std::move(table)),
      table_(plugin_common::quotedTable(name_)),
      store_id_(std::move(store_id)),
      connection_name_(std::move(connection_name)) {}

sqlclient::Values BatchLedger::key(std::int64_t task, std::int32_t step, std::int32_t ordinal) const {
  return {store_id_, task, std::int64_t{step}, std::int64_t{ordinal}};
}

void BatchLedger::begin(sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal) const {
  plugin_common::withLedger(name_, connection_name_, [&] {
    sqlclient::Transaction transaction(connection);
    auto values = key(task, kStepRun, ordinal);
    connection.updateDynamic(
        "sql_batch.begin_segment",
        "insert into " + table_ +
            " (store_id, task_id, step, ordinal, note, done_at) values (?, ?, ?, ?, '{\"position\": []}', now()) "
            "on duplicate key update ordinal = values(ordinal)",
        values
    );
    transaction.commit();
  });
}

std::optional<SegmentProgress> BatchLedger::readRow(
    sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal, const char* lock
) const {
  auto rows = connection.queryDynamic(
      "sql_batch.read_segment",
      "select num_bytes, num_records, num_rows, bad_records, note from " + table_ + kWhere + lock,
      key(task, kStepRun, ordinal)
  );
  if (!rows.next()) return std::nullopt;
  SegmentProgress progress{rows.getInt(1), rows.getInt(2), rows.getInt(3), rows.getInt(4) != 0, {}, {}};
  const Json note = plugin_common::parseObject(rows.getString(5), "ledger note");
  progress.position = keyValuesAt(note, "position");
  if (const Json* files = note.find("files")) {
    for (const auto& [name, length] : files->asObject()) progress.files[name] = length.asInt();
  }
  return progress;
}

std::optional<SegmentProgress> BatchLedger::read(
    sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal
) const {
  return plugin_common::withLedger(name_, connection_name_, [&] { return readRow(connection, task, ordinal, ""); });
}

SegmentProgress BatchLedger::noteFile(
    sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal, const std::string& file
) const {
  return plugin_common::withLedger(name_, connection_name_, [&] {
    sqlclient::Transaction transaction(connection);
    auto progress = readRow(connection, task, ordinal, " for update");
    if (!progress) throw Exception(ErrorCode::kStoreConflict, "the ledger row of the subtask went away");
    progress->files.emplace(file, 0);
    finish(connection, task, ordinal, *progress);
    transaction.commit();
    return *std::move(progress);
  });
}

bool BatchLedger::take(sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal, std::int64_t chunks)
    const {
  return plugin_common::withLedger(name_, connection_name_, [&] {
    auto values = key(task, kStepRun, ordinal);
    values.emplace_back(chunks);
    return connection.updateDynamic(
               "sql_batch.take_chunk",
               "update " + table_ + " set num_bytes = num_bytes + 1" + kWhere + " and num_bytes = ?",
               values
           ) == 1;
  });
}

void BatchLedger::finish(
    sqlclient::Connection& connection, std::int64_t task, std::int32_t ordinal, const SegmentProgress& progress
) const {
  plugin_common::withLedger(name_, connection_name_, [&] {
    sqlclient::Values values{progress.walked, progress.changed, std::int64_t{progress.done ? 1 : 0}, noteOf(progress)};
    addValues(values, key(task, kStepRun, ordinal));
    connection.updateDynamic(
        "sql_batch.finish_chunk",
        "update " + table_ + " set num_records = ?, num_rows = ?, bad_records = ?, note = ?, done_at = now()" + kWhere,
        values
    );
  });
}

BatchSums BatchLedger::sums(sqlclient::Connection& connection, std::int64_t task) const {
  return plugin_common::withLedger(name_, connection_name_, [&] {
    auto rows = connection.queryDynamic(
        "sql_batch.sum_segments",
        "select cast(coalesce(sum(bad_records), 0) as signed), cast(coalesce(sum(num_bytes), 0) as signed), "
        "cast(coalesce(sum(num_records), 0) as signed), cast(coalesce(sum(num_rows), 0) as signed) from " +
            table_ + " where store_id = ? and task_id = ? and step = ?",
        {store_id_, task, std::int64_t{kStepRun}}
    );
    if (!rows.next()) throw Exception(ErrorCode::kInternal, "the ledger's sums came back empty");
    return BatchSums{rows.getInt(1), rows.getInt(2), rows.getInt(3), rows.getInt(4)};
  });
}

std::optional<std::string> BatchLedger::readNote(sqlclient::Connection& connection, std::int64_t task) const {
  return plugin_common::withLedger(name_, connection_name_, [&]() -> std::optional<std::string> {
    auto rows = connection.queryDynamic("sql_batch.read_note", "select note from " + table_ + kWhere, key(task, 0, 0));
    if (!rows.next()) return std::nullopt;
    return rows.getString(1);
  });
}

void BatchLedger::putNote(sqlclient::Connection& connection, std::int64_t task, const std::string& note) const {
  plugin_common::withLedger(name_, connection_name_, [&] {
    sqlclient::Transaction transaction(connection);
    auto values = key(task, 0, 0);
    values.emplace_back(note);
    connection.updateDynamic(
        "sql_batch.put_note",
        "insert into " + table_ +
            " (store_id, task_id, step, ordinal, note, done_at) values (?, ?, ?, ?, ?, now()) "
            "on duplicate key update note = values(note)",
        values
    );
    transaction.commit();
  });
}

void BatchLedger::markEnded(sqlclient::Connection& connection, std::int64_t task) const {
  plugin_common::withLedger(name_, connection_name_, [&] {
    sqlclient::Transaction transaction(connection);
    connection.updateDynamic(
        "sql_batch.mark_ended",
        "update " + table_ + " set bad_records = 1, done_at = now()" + kWhere + " and bad_records = 0",
        key(task, 0, 0)
    );
    transaction.commit();
  });
}

void BatchLedger::forgetOlder(sqlclient::Connection& connection, std::int64_t days) const {
  plugin_common::withLedger(name_, connection_name_, [&] {
    std::vector<std::int64_t> tasks;
    {
      auto rows = connection.queryDynamic(
          "sql_batch.old_tasks",
          "select task_id from " + table_ +
              " where store_id = ? and step = 0 and bad_records = 1 and done_at < now() - interval ? day limit 16",
          {store_id_, days}
      );
      while (rows.next()) tasks.push_back(rows.getInt(1));
    }
    // The row of step 0 goes last: it names the task.
    for (const std::int64_t task : tasks) {
      for (const std::string step : {"step > 0", "step = 0"}) {
        std::int64_t count = 0;
        do {
          sqlclient::Transaction transaction(connection);
          count = connection.updateDynamic(
              "sql_batch.delete_ledger",
              "delete from " + table_ + " where store_id = ? and task_id = ? and " + step + " limit 1000",
              {store_id_, task}
          );
          transaction.commit();
        } while (count > 0);
      }
    }
  });
}

}  // namespace disttask::sql_batch
