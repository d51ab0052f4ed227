// Latency of a start: a row of a new task is committed, and the time until runSubtask is entered counts. The daemons
// follow; no scheduler takes part.
#include "disttask/base/random.hpp"
#include "figures.hpp"

#include <fmt/format.h>

#include <map>

namespace disttask::bench {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A task executor ends after 10 s without work, then the polls back off from 300 ms to 2 s: 0.3 + 0.6 + 1.2 s.
constexpr seconds kUntilBackedOff{18};

/// One round: each node gets a row of a new task at a random moment; returns the latencies in ms.
class Round {
 public:
  Round(BenchStore& store, RunLog& log) : store_(store), log_(log), seen_(log.numRuns()) {}
  void addRow(const NodeDaemon& node, bool nudged) {
    const auto task = store_.addTask();
    store_.addSubtask(task, node.id(), 1);
    committed_[task] = monotonicNs();
    if (nudged) node.nudge();
  }
  [[nodiscard]] std::vector<double> finish() {
    std::vector<double> latencies;
    awaitUntil(seconds(30), "the runs of a round", [&] { return log_.numRuns() >= seen_ + committed_.size(); });
    for (auto index = seen_; index < seen_ + committed_.size(); ++index) {
      awaitUntil(seconds(1), "a note of a run", [&] { return log_.find(index) != nullptr; });
      const auto* run = log_.find(index);
      latencies.push_back(static_cast<double>(run->entered_ns - committed_.at(run->task_id)) / 1e6);
    }
    return latencies;
  }

 private:
  BenchStore& store_;
  RunLog& log_;
  const std::uint64_t seen_;
  std::map<std::int64_t, std::int64_t> committed_;
};

void append(std::vector<double>& to, const std::vector<double>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

Figure makeFigure(const std::string& name, double share, double goal, const std::vector<double>& samples) {
  Figure figure{name, "ms", "<=", goal, samples, {}};
  figure.value = percentileOf(samples, share);
  return figure;
}

using Nodes = std::vector<std::unique_ptr<NodeDaemon>>;

/// The nodes take turns in an order of chance, spread over about 3 s: else the rounds would meet each node at the same
/// phase of its polls.
std::vector<double> runRound(BenchStore& store, RunLog& log, const Nodes& nodes, bool nudged) {
  std::vector<const NodeDaemon*> order;
  for (const auto& node : nodes) {
    order.insert(order.begin() + static_cast<std::ptrdiff_t>(randomBelow(order.size() + 1)), node.get());
  }
  const auto spread_ms = 6000 / order.size();
  Round round(store, log);
  for (const auto* node : order) {
    pause(milliseconds(randomBelow(spread_ms)));
    round.addRow(*node, nudged);
  }
  return round.finish();
}

}  // namespace

void measureLatencies(const Places& places, const Wanted& wanted, FigureList& list) {
  const bool nudge = wanted.has("start_latency_nudge_p50_ms");
  const bool backoff = wanted.has("start_latency_backoff_p99_ms");
  const bool poll = wanted.has("start_latency_poll_p99_ms");
  if (!nudge && !backoff && !poll) return;
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_nodes");
  RunLog log(places.runLog());
  log.clear();
  constexpr std::int32_t kSlots = 20;
  constexpr std::size_t kPolling = 20;
  Nodes nodes;
  for (int i = 0; i < wanted.times(20, 50); ++i) {
    nodes.push_back(std::make_unique<NodeDaemon>(places, store, NodeSetup{fmt::format("bench-{}", i), kSlots, false}));
  }
  const int rounds = wanted.times(2, 4);
  if (nudge || backoff) {
    std::vector<double> nudged;
    std::vector<double> backed_off;
    for (int round = 0; round < rounds; ++round) {
      if (nudge) {
        pause(wanted.span(kUntilBackedOff));
        append(nudged, runRound(store, log, nodes, true));
      }
      if (backoff) {
        pause(wanted.span(kUntilBackedOff));
        append(backed_off, runRound(store, log, nodes, false));
      }
    }
    if (nudge) list.add(makeFigure("start_latency_nudge_p50_ms", 0.5, 20, nudged));
    if (backoff) list.add(makeFigure("start_latency_backoff_p99_ms", 0.99, 2100, backed_off));
  }
  if (!poll) return;
  // A run that goes on keeps a node polling at its fast pace.
  nodes.resize(std::min(nodes.size(), kPolling));
  for (const auto& node : nodes) {
    store.addSubtask(store.addTask(), node->id(), 1, "{\"hold\": true}");
    node->nudge();
  }
  pause(seconds(4));
  std::vector<double> polled;
  for (int round = 0; round < wanted.times(2, 10); ++round) {
    append(polled, runRound(store, log, nodes, false));
  }
  list.add(makeFigure("start_latency_poll_p99_ms", 0.99, 320, polled));
}

}  // namespace disttask::bench
