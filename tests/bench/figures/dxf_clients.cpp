#include "dxf_clients.hpp"

#include "disttask/runtime/thread_group.hpp"

#include <atomic>

namespace disttask::bench {

namespace {

using sqlclient::Sql;
using sqlclient::Values;

constexpr Sql kTask{
    "dxf.task",
    "select id, task_key, type, state, step, priority, concurrency, create_time, target_scope, max_node_count,"
    " extra_params, start_time, state_update_time, meta, dispatcher_id, error, modify_params"
    " from tidb_global_task where id=?"};
constexpr Sql kFirstSubtask{
    "dxf.first_subtask",
    "select id, step, task_key, type, exec_id, state, concurrency, create_time, ordinal, start_time, state_update_time,"
    " meta, summary from tidb_background_subtask"
    " where exec_id=? and task_key=? and step=? and state in ('pending','running') limit 1"};
constexpr Sql kStart{
    "dxf.start",
    "update tidb_background_subtask set state='running', start_time=unix_timestamp(),"
    " state_update_time=unix_timestamp() where id=? and exec_id=?"};
constexpr Sql kFinish{
    "dxf.finish",
    "update tidb_background_subtask set meta=?, state='succeed', state_update_time=unix_timestamp(),"
    " end_time=current_timestamp() where id=? and exec_id=?"};

/// One subtask; false when there is none left.
bool runOne(sqlclient::Connection& connection, const std::string& exec_id, std::int64_t task_id) {
  {
    auto task = connection.query(kTask, Values{task_id});
    if (!task.next()) return false;
  }
  std::int64_t id = 0;
  std::string meta;
  {
    auto subtask = connection.query(kFirstSubtask, Values{exec_id, std::to_string(task_id), std::int64_t{1}});
    if (!subtask.next()) return false;
    id = subtask.getInt(1);
    meta = subtask.getString(12);
  }
  connection.begin();
  connection.update(kStart, Values{id, exec_id});
  connection.commit();
  connection.update(kFinish, Values{meta, id, exec_id});
  return true;
}

}  // namespace

std::string dxfExecId(std::int64_t client) {
  return "dxf-" + std::to_string(client);
}

void useDxfIndexes(BenchStore& store) {
  store.connection().execute(
      "alter table tidb_background_subtask drop index ix_exec, drop index ix_task, add index idx_task_key (task_key),"
      " add index idx_exec_id (exec_id)"
  );
}

DxfRun runDxfClients(BenchStore& store, std::int64_t task_id, runtime::Duration length) {
  std::atomic<std::int64_t> num_ready{0};
  std::atomic<std::int64_t> num_finished{0};
  std::atomic<bool> going{false};
  std::atomic<std::int64_t> end_ns{0};
  DxfRun result;
  {
    runtime::ThreadGroup threads;
    for (std::int64_t client = 0; client < kDxfClients; ++client) {
      threads.spawn("dxf-" + std::to_string(client), [&, client] {
        const auto connection = sqlclient::Connection::open(store.connect());
        const auto exec_id = dxfExecId(client);
        bool more = runOne(*connection, exec_id, task_id);
        ++num_ready;
        while (more && !going.load()) pause(std::chrono::milliseconds(1));
        while (more && monotonicNs() < end_ns.load()) {
          more = runOne(*connection, exec_id, task_id);
          if (more) ++num_finished;
        }
      });
    }
    awaitUntil(std::chrono::minutes(2), "the clients", [&] { return num_ready.load() == kDxfClients; });
    const auto began = monotonicNs();
    end_ns.store(began + length.count());
    going.store(true);
    threads.join();
    result.seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  }
  result.num_finished = num_finished.load();
  return result;
}

}  // namespace disttask::bench
