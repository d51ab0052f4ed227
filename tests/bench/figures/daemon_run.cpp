#include "daemon_run.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace disttask::bench {

namespace {

std::int64_t countSucceeded(BenchStore& store, const std::vector<std::int64_t>& tasks) {
  std::int64_t count = 0;
  for (const auto task : tasks) count += store.numInState(task, "succeed");
  return count;
}

}  // namespace

DaemonRun runDaemon(
    const Places& places,
    BenchStore& store,
    RunLog& log,
    const std::vector<std::int64_t>& tasks,
    std::int32_t parallel,
    std::int64_t num_pending,
    runtime::Duration length
) {
  log.clear();
  const auto succeeded_before = countSucceeded(store, tasks);
  const auto places_needed = parallel * static_cast<std::int32_t>(tasks.size());
  NodeDaemon node(places, store, {kLoadNode, std::max<std::int32_t>(16, places_needed), false});
  awaitUntil(std::chrono::seconds(30), "the first runs", [&] { return log.numRuns() >= 100; });
  // It warms up, but leaves most of few rows to the window.
  const auto enough_warmth = static_cast<std::uint64_t>(num_pending) / 10;
  const runtime::Deadline warm(runtime::systemClock(), std::chrono::milliseconds(300));
  while (!warm.isReached() && log.numRuns() < enough_warmth) pause(std::chrono::milliseconds(2));
  DaemonRun run;
  auto before = store.counters();
  const auto runs_before = log.numRuns();
  const auto began = monotonicNs();
  const auto enough = static_cast<std::uint64_t>(num_pending) * 9 / 10;
  const runtime::Deadline end(runtime::systemClock(), length);
  while (!end.isReached() && log.numRuns() < enough) pause(std::chrono::milliseconds(2));
  const auto runs_after = log.numRuns();
  run.num_runs = static_cast<std::int64_t>(runs_after - runs_before);
  run.seconds = static_cast<double>(monotonicNs() - began) / 1e9;
  for (const auto& [name, value] : store.counters()) run.counted[name] = value - before[name];
  run.counted["Questions"] -= 1;
  node.stop();
  if (run.num_runs < 2) {
    throw Exception(
        ErrorCode::kInternal, fmt::format("{} rows are too few: {} had run before it counted", num_pending, runs_before)
    );
  }

  run.num_succeeded = countSucceeded(store, tasks) - succeeded_before;
  const auto num_runs = static_cast<std::int64_t>(log.numRuns());
  if (run.num_succeeded > num_runs || run.num_succeeded + 2 * places_needed < num_runs) {
    throw Exception(ErrorCode::kInternal, fmt::format("{} runs, but {} rows succeeded", num_runs, run.num_succeeded));
  }
  for (auto index = runs_before + 1; index < runs_after; ++index) {
    const auto* last = log.find(index - 1);
    const auto* next = log.find(index);
    if (last != nullptr && next != nullptr) {
      run.gaps_us.push_back(static_cast<double>(next->entered_ns - last->left_ns) / 1e3);
    }
  }
  return run;
}

}  // namespace disttask::bench
