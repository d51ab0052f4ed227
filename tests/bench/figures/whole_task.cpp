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
  // Where the time went: until the first run, the runs of the first step, until the run of the second, and the rest.
  const auto at = [&](std::uint64_t index) { return static_cast<double>(log.find(index)->entered_ns - began) / 1e9; };
  FigureList::note(fmt::format(
      "  {}: first run after {:.3f} s, half of them after {:.3f} s, the last of step one after {:.3f} s, step two after"
      " {:.3f} s, succeed after {:.3f} s",
      key,
      at(0),
      at(kSubtasks / 2),
      at(kSubtasks - 1),
      at(kSubtasks),
      seconds
  ));
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
