// Subtasks per second of one whole daemon with more and less at a time, and beside another daemon.
#include "daemon_run.hpp"
#include "figures.hpp"

#include <fmt/format.h>

namespace disttask::bench {

namespace {

struct Load {
  std::int64_t tasks = 1;
  std::int32_t parallel = 16;
  std::int64_t rows = 100'000;
};

double measureOnce(const Places& places, BenchStore& store, RunLog& log, const Load& load) {
  store.clear();
  std::vector<std::int64_t> tasks;
  for (std::int64_t i = 0; i < load.tasks; ++i) {
    tasks.push_back(store.addTask(load.parallel));
    store.addSubtasks(tasks.back(), kLoadNode, 1, load.rows / load.tasks, 0);
  }
  store.settle();
  const auto run = runDaemon(places, store, log, tasks, load.parallel, load.rows, std::chrono::seconds(3));
  FigureList::note(fmt::format(
      "  {} tasks, {} at a time: {:.0f}/s, {:.3f} updates and {:.3f} fsyncs per subtask",
      load.tasks,
      load.parallel,
      run.perSecond(),
      run.perRun("Com_update"),
      run.perRun("Innodb_data_fsyncs")
  ));
  return run.perSecond();
}

}  // namespace

void measureSweep(const Places& places, const Wanted& wanted, FigureList& list) {
  std::vector<std::pair<std::string, Load>> sweep;
  for (const std::int32_t parallel : {1, 4, 16, 64}) {
    sweep.push_back(
        {fmt::format("subtasks_per_s_parallel_{}", parallel), {1, parallel, parallel == 1 ? 20'000 : 100'000}}
    );
  }
  for (const std::int64_t tasks : {10, 100}) {
    sweep.push_back({fmt::format("subtasks_per_s_tasks_{}", tasks), {tasks, 1, 100'000}});
  }
  const bool all = wanted.hasExtra("sweep");
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_nodes");
  RunLog log(places.runLog());
  for (const auto& [name, load] : sweep) {
    if (!all && !wanted.hasExtra(name)) continue;
    std::vector<double> samples;
    for (int round = 0; round < wanted.times(2, 5); ++round) {
      samples.push_back(measureOnce(places, store, log, {load.tasks, load.parallel, wanted.rows(load.rows)}));
    }
    list.add({name, "subtasks/s", "", {}, samples, {}});
  }
}

void compareThroughput(
    const Places& places, const std::filesystem::path& other_daemon, const Wanted& wanted, FigureList& list
) {
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_nodes");
  RunLog log(places.runLog());
  auto other = places;
  other.daemon = other_daemon;
  std::vector<double> ours;
  std::vector<double> theirs;
  std::vector<double> ratios;
  for (int round = 0; round < wanted.times(2, 5); ++round) {
    const auto measureOurs = [&] {
      ours.push_back(measureOnce(places, store, log, {1, 16, wanted.rows(Load{}.rows)}));
    };
    // Each is first in turn: what a run leaves behind, and a machine that slows down, fall on both.
    if (round % 2 == 1) measureOurs();
    theirs.push_back(measureOnce(other, store, log, {1, 16, wanted.rows(Load{}.rows)}));
    if (round % 2 == 0) measureOurs();
    ratios.push_back(ours.back() / theirs.back());
  }
  list.add({"throughput_this", "subtasks/s", "", {}, ours, {}});
  list.add({"throughput_other", "subtasks/s", "", {}, theirs, {}});
  list.add({"throughput_vs_other", "x", "", {}, ratios, {}});
}

}  // namespace disttask::bench
