// A task of 5,000 empty subtasks from submit to succeed by one daemon with the scheduler role: what tests/bench/tidb.sh
// puts beside the executor and scheduler of a TiDB, on that TiDB.
#include "disttask/runtime/timers.hpp"
#include "figures.hpp"

#include <fmt/format.h>

namespace disttask::bench {

namespace {

constexpr std::int64_t kSubtasks = 5000;

double runTask(BenchStore& store, RunLog& log, const std::string& key, std::int32_t parallel) {
  auto& tables = store.store();
  log.clear();
  storage::TaskRequest request;
  request.key = key;
  request.type = "bench";
  // TiDB's task type has a second step of one subtask too.
  request.meta = fmt::format("{{\"steps\": [{}, 1]}}", kSubtasks);
  request.extra.parallel_subtasks = parallel;
  const auto began = monotonicNs();
  const auto submitted = tables.clientTable().submitTask({}, request);
  const auto owner = tables.schedulerTable().getOwner({});
  runtime::sendDatagram(owner.address, "nudge:" + std::to_string(owner.nudge_token));
  awaitUntil(std::chrono::minutes(5), "a task to succeed", [&] {
    pause(std::chrono::milliseconds(10));
    const auto task = tables.clientTable().findTask({}, submitted.id);
    if (task && proto::isDone(task->state) && task->state != proto::TaskState::kSucceed) {
      throw Exception(ErrorCode::kInternal, "a task did not succeed: " + task->error);
    }
    return task && task->state == proto::TaskState::kSucceed;
  });
  const auto seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  if (log.numRuns() != static_cast<std::uint64_t>(kSubtasks) + 1) {
    throw Exception(ErrorCode::kInternal, fmt::format("{} runs of {} subtasks", log.numRuns(), kSubtasks + 1));
  }
  return seconds;
}

}  // namespace

void measureWholeTask(const Places& places, const Wanted& wanted, FigureList& list) {
  const bool parallel = wanted.hasExtra("task_5000_parallel_s");
  const bool serial = wanted.hasExtra("task_5000_serial_s");
  if (!parallel && !serial) return;
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_task");
  RunLog log(places.runLog());
  NodeDaemon node(places, store, {"bench-task", 16, true});
  awaitUntil(std::chrono::seconds(60), "an owner", [&] {
    return store.store().schedulerTable().getOwner({}).exec_id == node.id();
  });
  pause(std::chrono::seconds(1));
  if (parallel) list.add({"task_5000_parallel_s", "s", "", {}, {runTask(store, log, "parallel", 16)}, {}});
  if (serial) list.add({"task_5000_serial_s", "s", "", {}, {runTask(store, log, "serial", 1)}, {}});
  node.stop();
}

}  // namespace disttask::bench
