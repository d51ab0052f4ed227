// A small task from submit to succeed, with the scheduler role, planning and two steps: what disttaskctl does, without
// the start of a program.
#include "disttask/runtime/timers.hpp"
#include "figures.hpp"

#include <fmt/format.h>

namespace disttask::bench {

void measureSmallTask(const Places& places, const Wanted& wanted, FigureList& list) {
  if (!wanted.has("small_task_ms")) return;
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_nodes");
  RunLog log(places.runLog());
  log.clear();
  NodeDaemon node(places, store, {"bench-small", 16, true});
  auto& tables = store.store();
  awaitUntil(std::chrono::seconds(60), "an owner", [&] {
    return tables.schedulerTable().getOwner({}).exec_id == node.id();
  });
  std::vector<double> samples;
  for (int i = 0; i < wanted.times(6, 21); ++i) {
    pause(std::chrono::seconds(1));
    storage::TaskRequest request;
    request.key = fmt::format("small-{}", i);
    request.type = "bench";
    request.meta = R"({"steps": [10, 1]})";
    const auto began = monotonicNs();
    const auto submitted = tables.clientTable().submitTask({}, request);
    const auto owner = tables.schedulerTable().getOwner({});
    runtime::sendDatagram(owner.address, "nudge:" + std::to_string(owner.nudge_token));
    awaitUntil(std::chrono::seconds(30), "a small task to succeed", [&] {
      const auto task = tables.clientTable().findTask({}, submitted.id);
      if (task && proto::isDone(task->state) && task->state != proto::TaskState::kSucceed) {
        throw Exception(ErrorCode::kInternal, "a small task did not succeed: " + task->error);
      }
      return task && task->state == proto::TaskState::kSucceed;
    });
    if (i > 0) samples.push_back(static_cast<double>(monotonicNs() - began) / 1e6);  // the first warms up
  }
  if (log.numRuns() != (samples.size() + 1) * 11) {
    throw Exception(ErrorCode::kInternal, "small tasks ran another number of subtasks than they have");
  }
  list.add({"small_task_ms", "ms", "<=", 300, samples, {}});
  node.stop();
}

}  // namespace disttask::bench
