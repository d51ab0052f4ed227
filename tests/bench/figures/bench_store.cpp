#include "bench_store.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <functional>

namespace disttask::bench {

namespace {

using sqlclient::Values;
constexpr std::int64_t kRowsPerInsert = 1000;

}  // namespace

void pause(runtime::Duration duration) {
  runtime::Wakeup(runtime::systemClock()).waitFor({}, duration);
}

void awaitUntil(runtime::Duration limit, std::string_view what, const std::function<bool()>& ready) {
  const runtime::Deadline deadline(runtime::systemClock(), limit);
  while (!ready()) {
    if (deadline.isReached()) throw Exception(ErrorCode::kTimedOut, "waited in vain for " + std::string(what));
    pause(std::chrono::milliseconds(2));
  }
}

double cpuSecondsOf(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
    throw Exception(ErrorCode::kNotFound, "CPU time of process " + std::to_string(pid) + " cannot be read");
  }
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

BenchStore::BenchStore(sqlclient::ConnectSettings connect, std::string schema)
    : connect_(std::move(connect)), schema_(std::move(schema)) {
  connect_.schema.clear();
  sqlclient::Connection::open(connect_)->execute("drop database if exists " + schema_);
  storage::mysql::StoreSettings settings;
  settings.connect = connect_;
  settings.schema = schema_;
  store_ = std::make_unique<storage::mysql::Store>(settings, runtime::systemClock());
  store_->schema().install({});
  connect_.schema = schema_;
  auto patient = connect_;
  patient.read_timeout = std::chrono::minutes(5);  // a million rows take a while
  connection_ = sqlclient::Connection::open(patient);
}

BenchStore::~BenchStore() {
  try {
    connection_->execute("drop database if exists " + schema_);
  } catch (const std::exception&) {
    return;  // the server is gone, and the schema with it
  }
}

std::int64_t BenchStore::addTask(std::int32_t parallel) {
  connection_->updateDynamic(
      "bench.add_task",
      "insert into tidb_global_task (task_key, type, state, priority, create_time, start_time, state_update_time, meta,"
      " concurrency, step, target_scope, max_node_count, extra_params)"
      " values (?, 'bench', 'running', 512, now(), now(), now(), '{}', 1, 1, 'disttask', 0, convert(? using utf8mb4))",
      Values{
          fmt::format("bench-{}-{}", monotonicKey(), ++num_tasks_),
          fmt::format("{{\"parallel_subtasks\":{}}}", parallel)}
  );
  auto id = connection_->queryDynamic("bench.last_id", "select last_insert_id()", {});
  id.next();
  return id.getInt(1);
}

std::int64_t BenchStore::monotonicKey() {
  return runtime::systemClock().now().time_since_epoch().count();
}

void BenchStore::addSubtasks(
    std::int64_t task_id, const std::string& exec_id, std::int64_t first, std::int64_t count, std::int64_t num_finished
) {
  for (std::int64_t done = 0; done < count; done += kRowsPerInsert) {
    std::string text =
        "insert into tidb_background_subtask (step, task_key, type, exec_id, state, checkpoint, concurrency, "
        "create_time,"
        " meta, ordinal, summary) values ";
    for (auto row = done; row < std::min(count, done + kRowsPerInsert); ++row) {
      text += fmt::format(
          "{}(1, '{}', 1, '{}', '{}', '{{}}', 1, now(), '{{}}', {}, '{{}}')",
          row == done ? "" : ", ",
          task_id,
          exec_id,
          row < num_finished ? "succeed" : "pending",
          first + row
      );
    }
    connection_->execute(text);
  }
}

void BenchStore::addSubtask(
    std::int64_t task_id, const std::string& exec_id, std::int64_t ordinal, const std::string& meta
) {
  connection_->updateDynamic(
      "bench.add_subtask",
      "insert into tidb_background_subtask (step, task_key, type, exec_id, state, checkpoint, concurrency, create_time,"
      " meta, ordinal, summary) values (1, ?, 1, ?, 'pending', '{}', 1, now(), ?, ?, '{}')",
      Values{std::to_string(task_id), exec_id, meta, ordinal}
  );
}

void BenchStore::clear() {
  for (const auto* table :
       {"tidb_global_task",
        "tidb_global_task_history",
        "tidb_background_subtask",
        "tidb_background_subtask_history",
        "disttask_plan",
        "disttask_attempt",
        "disttask_event"}) {
    connection_->execute(std::string("truncate table ") + table);
  }
}

std::int64_t BenchStore::numInState(std::int64_t task_id, const std::string& state) {
  auto rows = connection_->queryDynamic(
      "bench.num_in_state",
      "select count(*) from tidb_background_subtask where task_key=? and step=1 and state=?",
      Values{std::to_string(task_id), state}
  );
  rows.next();
  return rows.getInt(1);
}

std::int64_t BenchStore::status(const std::string& name) {
  auto rows = connection_->queryDynamic("bench.status", "show global status like '" + name + "'", {});
  return rows.next() ? std::stoll(rows.getString(2)) : 0;
}

std::map<std::string, std::int64_t> BenchStore::counters() {
  std::map<std::string, std::int64_t> found{
      {"Questions", 0},
      {"Com_stmt_execute", 0},
      {"Com_update", 0},
      {"Com_select", 0},
      {"Handler_commit", 0},
      {"Handler_update", 0},
      {"Innodb_data_fsyncs", 0}};
  std::string text = "show global status where variable_name in (''";
  for (const auto& [name, value] : found) text += ", '" + name + "'";
  auto rows = connection_->queryDynamic("bench.counters", text + ")", {});
  while (rows.next()) found[rows.getString(1)] = std::stoll(rows.getString(2));
  return found;
}

void BenchStore::resetRuns(std::int64_t task_id) {
  connection_->updateDynamic(
      "bench.reset",
      "update tidb_background_subtask set state='pending', ddl_physical_tid=null, start_time=null, end_time=null"
      " where task_key=? and start_time is not null",
      Values{std::to_string(task_id)}
  );
}

void BenchStore::settle(runtime::Duration limit) {
  const runtime::Deadline deadline(runtime::systemClock(), limit);
  while (status("Innodb_history_list_length") > 500 && !deadline.isReached()) pause(std::chrono::milliseconds(200));
  pause(std::chrono::milliseconds(500));
}

}  // namespace disttask::bench
