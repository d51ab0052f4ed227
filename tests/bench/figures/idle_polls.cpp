// What 100 idle nodes cost the store, with a million finished rows: this process sends what the nodes' polls and
// renewals send, by the product's own code, at the pace of nodes at rest: each node polls over one connection and
// renews over another. Beside it a prepared `select 1` in place of each of these calls, over as many connections in the
// same order. The CPU of the store at rest is taken off both.
#include "figures.hpp"
#include "simulated_node.hpp"

#include <fmt/format.h>

namespace disttask::bench {

namespace {

constexpr std::int64_t kNodes = 100;
// In 30 s, a lease, a node at rest polls each 2 s and renews each quarter of the lease: 15 polls and 4 renewals.
constexpr std::int64_t kCallsPerLease = 19;
constexpr std::int64_t kRenewalsPerLease = 4;
constexpr double kCallsPerSecond = kNodes * kCallsPerLease / 30.0;

/// The renewals lie evenly among the polls.
constexpr bool isRenewal(std::int64_t call) {
  return call % kCallsPerLease * kRenewalsPerLease / kCallsPerLease !=
         (call % kCallsPerLease + 1) * kRenewalsPerLease / kCallsPerLease;
}
constexpr std::int64_t kRows = 1'000'000;

/// Makes `call(i)` at an even pace for a while; returns the CPU seconds of the store and the number of calls.
struct Cost {
  double cpu_s;
  std::int64_t calls;
};
Cost measureCost(pid_t server, std::chrono::milliseconds length, const std::function<void(std::int64_t)>& call) {
  auto& clock = runtime::systemClock();
  const auto cpu = cpuSecondsOf(server);
  const auto began = clock.now();
  const auto num_calls = static_cast<std::int64_t>(kCallsPerSecond * static_cast<double>(length.count()) / 1000);
  for (std::int64_t i = 0; i < num_calls; ++i) {
    if (call) call(i);
    const auto next =
        began + std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 * static_cast<double>(i + 1) / kCallsPerSecond));
    pause(next - clock.now());
  }
  return {cpuSecondsOf(server) - cpu, num_calls};
}

void fillWithFinished(BenchStore& store, std::int64_t num_rows) {
  for (std::int64_t node = 0; node < kNodes; ++node) {
    const auto task = store.addTask();
    store.addSubtasks(task, fmt::format("bench-{}", node), 1, num_rows / kNodes, num_rows / kNodes);
    // Some tasks still run: a poll has to look at them.
    if (node % 10 != 0) {
      store.connection().updateDynamic(
          "bench.end_task", "update tidb_global_task set state='succeed' where id=?", {task}
      );
    }
  }
  store.connection().execute("analyze table tidb_background_subtask");
  store.settle();
}

}  // namespace

void measureIdlePolls(const Places& places, const Wanted& wanted, FigureList& list) {
  if (!wanted.has("idle_100_nodes_vs_select1")) return;
  if (places.server_pid == 0) {
    FigureList::note("idle_100_nodes_vs_select1: left out, the server's process is not known (--server-pid)");
    return;
  }
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_idle");
  fillWithFinished(store, wanted.rows(kRows));
  std::vector<std::unique_ptr<SimulatedNode>> nodes;
  std::vector<std::unique_ptr<sqlclient::Connection>> connections;
  for (std::int64_t i = 0; i < kNodes; ++i) {
    nodes.push_back(std::make_unique<SimulatedNode>(places, store.schema(), fmt::format("bench-{}", i), 4));
    for (int of_node = 0; of_node < 2; ++of_node) {
      connections.push_back(sqlclient::Connection::open(store.connect()));
    }
  }
  const auto is_renewal = [](std::int64_t i) { return isRenewal(i / kNodes + i % kNodes); };
  const auto node_call = [&](std::int64_t i) {
    auto& node = *nodes[static_cast<std::size_t>(i % kNodes)];
    is_renewal(i) ? node.renew() : static_cast<void>(node.poll());
  };
  const auto select_call = [&](std::int64_t i) {
    const auto at = i % kNodes * 2 + (is_renewal(i) ? 1 : 0);
    connections[static_cast<std::size_t>(at)]->queryDynamic("bench.select_1", "select 1", {});
  };
  const auto length = wanted.span(std::chrono::seconds(10));
  const auto short_length = wanted.span(std::chrono::seconds(5));
  const double short_s = static_cast<double>(short_length.count()) / 1000;
  // Both of each node, so that all statements are prepared.
  for (const auto& node : nodes) {
    static_cast<void>(node->poll());
    node->renew();
  }
  for (const auto& connection : connections) connection->queryDynamic("bench.select_1", "select 1", {});
  std::vector<double> ratios;
  for (int round = 0; round < wanted.times(2, 5); ++round) {
    const auto rest = measureCost(places.server_pid, short_length, {});
    const auto rest_per_s = rest.cpu_s / short_s;
    const auto polls = measureCost(places.server_pid, length, node_call);
    const auto only_polls = measureCost(places.server_pid, short_length, [&](std::int64_t i) {
      static_cast<void>(nodes[static_cast<std::size_t>(i % kNodes)]->poll());
    });
    const auto selects = measureCost(places.server_pid, length, select_call);
    const auto window = static_cast<double>(length.count()) / 1000;
    ratios.push_back((polls.cpu_s - rest_per_s * window) / (selects.cpu_s - rest_per_s * window));
    const auto us_each = [&](const Cost& cost, double seconds) {
      return 1e6 * (cost.cpu_s - rest_per_s * seconds) / static_cast<double>(cost.calls);
    };
    FigureList::note(fmt::format(
        "  store CPU: at rest {:.2f} %, 100 nodes {:.2f} %, select 1 {:.2f} % of a core, {} calls each;"
        " a poll {:.0f} us, select 1 {:.0f} us",
        100 * rest_per_s,
        100 * polls.cpu_s / window,
        100 * selects.cpu_s / window,
        polls.calls,
        us_each(only_polls, short_s),
        us_each(selects, window)
    ));
  }
  list.add({"idle_100_nodes_vs_select1", "x", "<=", 3, ratios, {}});
}

}  // namespace disttask::bench
