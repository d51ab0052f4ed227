// What grows with nodes and rows, measured piece by piece with the product's own statements: for the page's path to
// 1,000 nodes and 10^8 subtasks.
#include "figures.hpp"

#include <fmt/format.h>

#include <functional>

namespace disttask::bench {

namespace {

constexpr std::int64_t kNodes = 1000;
constexpr std::int64_t kRows = 1'000'000;

/// Milliseconds of a call, some times in a row.
std::vector<double> timeCalls(int times, const std::function<void()>& call) {
  std::vector<double> samples;
  for (int i = 0; i < times; ++i) {
    const auto began = monotonicNs();
    call();
    samples.push_back(static_cast<double>(monotonicNs() - began) / 1e6);
  }
  return samples;
}

std::string nodeId(std::int64_t number) {
  return fmt::format("bench-{}", number);
}

void registerNodes(BenchStore& store, std::int64_t num_nodes) {
  proto::Node node;
  node.life = proto::Life(1);
  node.role = "disttask";
  node.slots = 4;
  node.types = {{"bench", "1"}, {"csv_import", "1"}};
  node.address = "127.0.0.1:1";
  for (std::int64_t i = 0; i < num_nodes; ++i) {
    node.exec_id = nodeId(i);
    if (!store.store().nodeTable().registerNode({}, node, std::nullopt)) {
      throw Exception(ErrorCode::kInternal, "a node could not be registered");
    }
  }
}

/// Renewals one after the other: ms and, where the server's process is known, its CPU time of each.
void measureRenewals(const Places& places, BenchStore& store, std::int64_t num_nodes, FigureList& list) {
  proto::Node node;
  node.life = proto::Life(1);
  std::int64_t next = 0;
  const auto cpu = places.server_pid == 0 ? 0.0 : cpuSecondsOf(places.server_pid);
  constexpr int kTimes = 1000;
  list.add(
      {"scale_renewal_ms",
       "ms",
       "",
       {},
       timeCalls(
           kTimes,
           [&] {
             node.exec_id = nodeId(next++ % num_nodes);
             if (!store.store().nodeTable().renew({}, node)) throw Exception(ErrorCode::kInternal, "not renewed");
           }
       ),
       {}}
  );
  if (places.server_pid == 0) return;
  list.add({"scale_renewal_store_cpu_ms", "ms", "", {}, {1000 * (cpuSecondsOf(places.server_pid) - cpu) / kTimes}, {}});
}

double bytesPerRow(BenchStore& store, std::int64_t num_rows, const std::string& column) {
  store.connection().execute("analyze table tidb_background_subtask");
  auto size = store.connection().queryDynamic(
      "bench.size",
      "select " + column +
          " from information_schema.tables where table_schema=? and table_name='tidb_background_subtask'",
      sqlclient::Values{store.schema()}
  );
  size.next();
  return static_cast<double>(size.getInt(1)) / static_cast<double>(num_rows);
}

/// Moves what it may to history as the owner does, for a while; returns rows/s.
double measureHistory(BenchStore& store, std::int64_t task) {
  auto& scheduler = store.store().schedulerTable();
  const auto life = scheduler.takeOwnership({}, nodeId(0), scheduler.getOwner({}));
  if (!life) throw Exception(ErrorCode::kInternal, "the owner role could not be taken");
  store.connection().updateDynamic(
      "bench.end_task",
      "update tidb_global_task set state='succeed', end_time=now() where id=?",
      sqlclient::Values{task}
  );
  store.connection().updateDynamic(
      "bench.end_subtasks",
      "update tidb_background_subtask set state='succeed' where task_key=? and state='pending'",
      sqlclient::Values{std::to_string(task)}
  );
  std::int64_t moved = 0;
  const auto began = monotonicNs();
  for (int batch = 0; batch < 50; ++batch) {
    moved += store.store().historyTable().moveSubtasks({}, *life, proto::TaskId(task), 1000);
  }
  return static_cast<double>(moved) * 1e9 / static_cast<double>(monotonicNs() - began);
}

}  // namespace

void measureScale(const Places& places, const Wanted& wanted, FigureList& list) {
  if (!wanted.hasExtra("scale")) return;
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_scale");
  const auto num_nodes = wanted.nodes(kNodes);
  const auto num_rows = wanted.rows(kRows);
  registerNodes(store, num_nodes);
  auto& tables = store.store();
  list.add({"scale_read_1000_nodes_ms", "ms", "", {}, timeCalls(20, [&] { tables.nodeTable().getAllNodes({}); }), {}});
  measureRenewals(places, store, num_nodes, list);

  const auto task = store.addTask();
  const auto began = monotonicNs();
  for (std::int64_t node = 0; node < num_nodes; ++node) {
    const auto rows = num_rows / num_nodes;
    store.addSubtasks(task, nodeId(node), 1 + node * rows, rows, rows * 9 / 10);
  }
  const auto seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  list.add({"scale_insert_rows_per_s", "rows/s", "", {}, {static_cast<double>(num_rows) / seconds}, {}});
  list.add({"scale_bytes_per_subtask_data", "bytes", "", {}, {bytesPerRow(store, num_rows, "data_length")}, {}});
  list.add({"scale_bytes_per_subtask_indexes", "bytes", "", {}, {bytesPerRow(store, num_rows, "index_length")}, {}});
  store.settle();
  const proto::TaskId id(task);
  const proto::Step step(1);
  list.add(
      {"scale_progress_of_1m_ms",
       "ms",
       "",
       {},
       timeCalls(5, [&] { static_cast<void>(tables.clientTable().getProgress({}, id)); }),
       {}}
  );
  list.add(
      {"scale_count_by_1000_nodes_ms",
       "ms",
       "",
       {},
       timeCalls(5, [&] { static_cast<void>(tables.schedulerTable().countSubtasksByNode({}, id, {})); }),
       {}}
  );
  list.add(
      {"scale_probe_step_of_1m_ms",
       "ms",
       "",
       {},
       timeCalls(20, [&] { static_cast<void>(tables.schedulerTable().probeSubtasks({}, id, step)); }),
       {}}
  );
  list.add({"scale_history_rows_per_s", "rows/s", "", {}, {measureHistory(store, task)}, {}});
}

}  // namespace disttask::bench
