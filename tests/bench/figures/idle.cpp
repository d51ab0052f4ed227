// Whole daemons with nothing to do: the statements that they send, and their CPU.
#include "figures.hpp"

#include <fmt/format.h>

namespace disttask::bench {

namespace {

constexpr std::chrono::seconds kUntilAtRest{16};
constexpr std::size_t kFollowers = 4;

struct Window {
  double queries_per_s;
  double cpu_percent;  ///< of the first daemon
};

Window measureWindow(BenchStore& store, pid_t daemon, runtime::Duration length) {
  const auto questions = store.status("Questions");
  const auto cpu = cpuSecondsOf(daemon);
  const auto began = monotonicNs();
  pause(length);
  const auto seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  const auto used = cpuSecondsOf(daemon) - cpu;
  // The second look at the counter is a question itself.
  const auto asked = static_cast<double>(store.status("Questions") - questions - 1);
  return {asked / seconds, 100 * used / seconds};
}

}  // namespace

void measureIdle(const Places& places, const Wanted& wanted, FigureList& list) {
  const bool follower = wanted.has("idle_queries_follower");
  if (!follower && !wanted.has("idle_queries_owner") && !wanted.has("idle_cpu_percent")) return;
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_idle");
  const std::chrono::seconds length(wanted.times(6, 10));
  const int rounds = wanted.times(3, 5);
  std::vector<std::unique_ptr<NodeDaemon>> nodes;
  nodes.push_back(std::make_unique<NodeDaemon>(places, store, NodeSetup{"bench-owner", 4, true}));
  awaitUntil(std::chrono::seconds(60), "an owner", [&] {
    return store.store().schedulerTable().getOwner({}).exec_id == "bench-owner";
  });
  pause(wanted.span(kUntilAtRest));
  std::vector<double> queries;
  std::vector<double> cpu;
  for (int round = 0; round < rounds; ++round) {
    const auto window = measureWindow(store, nodes.front()->pid(), length);
    queries.push_back(window.queries_per_s);
    cpu.push_back(window.cpu_percent);
  }
  if (wanted.has("idle_queries_owner")) list.add({"idle_queries_owner", "queries/s", "<=", 4, queries, {}});
  if (wanted.has("idle_cpu_percent")) list.add({"idle_cpu_percent", "% of a core", "<=", 0.3, cpu, {}});
  if (!follower) return;
  const auto alone = medianOf(queries);
  for (std::size_t i = 0; i < kFollowers; ++i) {
    nodes.push_back(std::make_unique<NodeDaemon>(places, store, NodeSetup{fmt::format("bench-{}", i), 4, true}));
  }
  pause(wanted.span(kUntilAtRest));
  std::vector<double> each;
  for (int round = 0; round < rounds; ++round) {
    const auto window = measureWindow(store, nodes.front()->pid(), length);
    each.push_back((window.queries_per_s - alone) / static_cast<double>(kFollowers));
  }
  list.add({"idle_queries_follower", "queries/s", "<=", 0.8, each, {}});
}

}  // namespace disttask::bench
