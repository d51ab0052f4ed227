#include "ledger.hpp"

#include "disttask/plugin_common/ledger_errors.hpp"
#include "json_fields.hpp"
#include "statements.hpp"

#include <map>
#include <vector>

namespace disttask::csv_import {
namespace {

// What bad_records says in the row of step 0. Not 1: that is how sql_batch, whose tasks may share the ledger, marks its
// own, and it deletes all that are so marked.
constexpr std::int64_t kTaskOpen = 0;
constexpr std::int64_t kTaskGoes = 3;  // its rows are being deleted; 2: it has ended
constexpr int kMaxForgotten = 16;

sqlclient::Value number(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

/// In a transaction of its own: on TiDB the limit on lock waits does not hold for autocommit statements.
std::int64_t updateBounded(
    sqlclient::Connection& connection, std::string_view name, const std::string& text, const sqlclient::Values& values
) {
  sqlclient::Transaction transaction(connection);
  const auto count = connection.updateDynamic(name, text, values);
  transaction.commit();
  return count;
}

LedgerRow readRow(const sqlclient::Result& rows, std::uint32_t first) {
  const auto count = [&](std::uint32_t column) { return static_cast<std::uint64_t>(rows.getInt(first + column)); };
  return {
      count(0),
      count(1),
      count(2),
      count(3),
      RowSum::parse(rows.getString(first + 4)).low(),
      RowSum::parse(rows.getString(first + 5))};
}

}  // namespace

std::string TaskNote::dump() const {
  Json json;
  json["root"] = root;
  json["ends"] = true;  // its end will be marked; not so in notes of older programs
  json["identity"] = identity;
  json["size"] = file.size;
  json["mtime_ns"] = file.mtime_ns;
  json["columns"] = Json(Json::Array(columns.begin(), columns.end()));
  if (totals) {
    json["chunks"] = totals->chunks;
    json["records"] = totals->records;
    json["bytes"] = totals->bytes;
  }
  return json.dump();
}

TaskNote TaskNote::parse(std::string_view text) {
  const std::string what = "ledger note";
  const Json json = parseObject(text, what);
  const auto count = [&](const Json& value) { return static_cast<std::uint64_t>(intAt(value, what, 0, INT64_MAX)); };
  TaskNote note;
  note.root = memberAt(json, "root", what).asInt();
  note.identity = memberAt(json, "identity", what).asString();
  note.file = {count(memberAt(json, "size", what)), memberAt(json, "mtime_ns", what).asInt()};
  for (const Json& item : memberAt(json, "columns", what).asArray()) note.columns.push_back(item.asString());
  if (const Json* chunks = json.find("chunks")) {
    note.totals = {count(*chunks), count(memberAt(json, "records", what)), count(memberAt(json, "bytes", what)), 0};
  }
  return note;
}

Ledger::Ledger(const std::string& table, std::string store_id, std::string connection_name)
    : name_(table),
      table_(plugin_common::quotedTable(table)),
      store_id_(std::move(store_id)),
      connection_name_(std::move(connection_name)) {}

template <typename F>
auto Ledger::guarded(F body) const {
  return plugin_common::withLedger(name_, connection_name_, body);
}

sqlclient::Values Ledger::key(std::int64_t task, std::int32_t step, std::int32_t ordinal) const {
  return {store_id_, task, std::int64_t{step}, std::int64_t{ordinal}};
}

bool Ledger::take(sqlclient::Connection& connection, std::int64_t task, std::int32_t step, std::int32_t ordinal) const {
  return guarded([&] {
    try {
      connection.updateDynamic("csv_import.take_ledger", statements::insertLedger(table_), key(task, step, ordinal));
      return true;
    } catch (const Exception& exception) {
      if (exception.error().storeNumber() != 1062) throw;
      return false;
    }
  });
}

void Ledger::finish(
    sqlclient::Connection& connection, std::int64_t task, std::int32_t step, std::int32_t ordinal, const LedgerRow& row
) const {
  sqlclient::Values values{
      number(row.records),
      number(row.rows),
      number(row.bad),
      number(row.bytes),
      std::to_string(row.hash),
      row.row_sum.toString()};
  for (auto& value : key(task, step, ordinal)) values.push_back(value);
  guarded([&] { return connection.updateDynamic("csv_import.finish_ledger", statements::finishLedger(table_), values); }
  );
}

std::optional<LedgerRow> Ledger::read(
    sqlclient::Connection& connection, std::int64_t task, std::int32_t step, std::int32_t ordinal
) const {
  return guarded([&]() -> std::optional<LedgerRow> {
    auto rows =
        connection.queryDynamic("csv_import.read_ledger", statements::readLedger(table_), key(task, step, ordinal));
    if (!rows.next()) return std::nullopt;
    return readRow(rows, 1);
  });
}

LedgerSums Ledger::sums(sqlclient::Connection& connection, std::int64_t task, std::int32_t step) const {
  return guarded([&] {
    auto rows = connection.queryDynamic(
        "csv_import.sum_ledger", statements::sumLedger(table_), {store_id_, task, std::int64_t{step}}
    );
    if (!rows.next()) throw Exception(ErrorCode::kInternal, "the ledger's sums came back empty");
    return LedgerSums{static_cast<std::uint64_t>(rows.getInt(1)), readRow(rows, 2)};
  });
}

std::optional<TaskNote> Ledger::readNote(sqlclient::Connection& connection, std::int64_t task) const {
  return guarded([&]() -> std::optional<TaskNote> {
    auto rows = connection.queryDynamic("csv_import.read_ledger", statements::readLedger(table_), key(task, 0, 0));
    if (!rows.next() || rows.getInt(3) == kTaskGoes) return std::nullopt;
    return TaskNote::parse(rows.getString(7));
  });
}

void Ledger::putNote(sqlclient::Connection& connection, std::int64_t task, const TaskNote& note) const {
  guarded([&] {
    sqlclient::Transaction transaction(connection);
    if (note.root != task) {
      // Locked before the look, so that nobody deletes it in between; and as fresh as the task that goes on with it.
      const sqlclient::Values root = key(note.root, 0, 0);
      const auto lock = statements::lockLedgerTask(table_);
      bool stays = false;
      {
        auto rows = connection.queryDynamic("csv_import.lock_root", lock, root);
        stays = rows.next() && rows.getInt(1) != kTaskGoes;
      }
      if (!stays) {
        throw Exception(
            ErrorCode::kPrecondition,
            "resume_of: the ledger rows of task " + std::to_string(note.root) +
                ", which say what is imported, are deleted (ledger_days); submit without resume_of into a table that "
                "has none of it"
        );
      }
      connection.updateDynamic("csv_import.touch_root", statements::touchLedgerTask(table_), root);
    }
    sqlclient::Values values = key(task, 0, 0);
    values.emplace_back(note.dump());
    connection.updateDynamic("csv_import.put_note", statements::putLedgerNote(table_), values);
    transaction.commit();
  });
}

void Ledger::markEnded(sqlclient::Connection& connection, std::int64_t task) const {
  guarded([&] {
    return updateBounded(connection, "csv_import.mark_ended", statements::markLedgerTask(table_), key(task, 0, 0));
  });
}

// Once claimed, no task can resume it, and whoever plans next goes on with what is left.
bool Ledger::claimForDeletion(sqlclient::Connection& connection, std::int64_t task, bool is_marked, std::int64_t days)
    const {
  if (!is_marked) {
    auto rows =
        connection.queryDynamic("csv_import.last_row", statements::isLedgerTaskOld(table_), {days, store_id_, task});
    if (!rows.next() || rows.getInt(1) == 0) return false;
  }
  sqlclient::Values values = key(task, 0, 0);
  values.emplace_back(days);
  return updateBounded(connection, "csv_import.claim_old", statements::claimLedgerTask(table_), values) > 0;
}

void Ledger::forgetOlder(sqlclient::Connection& connection, std::int64_t days) const {
  struct Old {
    std::int64_t task;
    bool is_marked;
    bool is_going;
  };
  guarded([&] {
    std::vector<Old> old;
    std::map<std::int64_t, std::int64_t> num_users;  // by root: notes of other tasks that name it
    std::map<std::int64_t, std::int64_t> roots;
    {
      auto rows =
          connection.queryDynamic("csv_import.list_tasks", statements::listLedgerTasks(table_), {days, store_id_});
      while (rows.next()) {
        if (rows.isNull(2)) continue;  // another type's
        const std::int64_t task = rows.getInt(1);
        roots[task] = rows.getInt(2);
        if (roots[task] != task) ++num_users[roots[task]];
        const std::int64_t mark = rows.getInt(3);
        // Notes of older programs do not say when their task ended; there the age of the last row decides.
        const bool may_go = mark != kTaskOpen || rows.isNull(4);
        if (mark == kTaskGoes || (may_go && rows.getInt(5) != 0)) {
          old.push_back({task, mark != kTaskOpen, mark == kTaskGoes});
        }
      }
    }
    const std::string text = statements::deleteLedgerRows(table_);
    int left = kMaxForgotten;
    // The latest first: a task that resumed another one has the greater id.
    for (auto it = old.rbegin(); it != old.rend() && left > 0; ++it) {
      if (!it->is_going) {
        if (num_users[it->task] > 0 || !claimForDeletion(connection, it->task, it->is_marked, days)) continue;
      }
      // The row of step 0 goes last: it names the task.
      for (const std::int64_t least_step : {1, 0}) {
        while (updateBounded(connection, "csv_import.delete_ledger", text, {store_id_, it->task, least_step}) > 0) {
        }
      }
      if (roots[it->task] != it->task) --num_users[roots[it->task]];
      --left;
    }
  });
}

}  // namespace disttask::csv_import
