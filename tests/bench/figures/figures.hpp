#pragma once
#include "figure_list.hpp"
#include "node_daemon.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>

namespace disttask::bench {

/// What is asked for.
struct Wanted {
  std::set<std::string> names;  ///< empty = all of the page; figures that are extra run when named only
  bool quick = false;           ///< fewer repetitions
  bool smoke = false;           ///< the least of everything: shows that it works, the figures mean nothing
  [[nodiscard]] bool has(const std::string& name) const { return names.empty() || names.count(name) > 0; }
  [[nodiscard]] bool hasExtra(const std::string& name) const { return names.count(name) > 0; }
  [[nodiscard]] int times(int if_quick, int full) const noexcept {
    return smoke ? std::max(1, if_quick / 3) : quick ? if_quick : full;
  }
  [[nodiscard]] std::int64_t nodes(std::int64_t full) const noexcept { return smoke ? full / 50 : full; }
  /// Of a quick daemon, so many rows that the window of a measurement is not over before it began.
  [[nodiscard]] std::int64_t rows(std::int64_t full) const noexcept { return smoke ? full / 20 : full; }
  [[nodiscard]] std::chrono::milliseconds span(std::chrono::milliseconds full) const noexcept {
    return smoke ? full / 10 : full;
  }
};

/// throughput_vs_dxf, throughput_vs_floor, growth_1m, dxf_growth_1m: subtasks per second.
void measureThroughput(const Places& places, const Wanted& wanted, FigureList& list);
/// roundtrips_per_subtask, commits_per_subtask, gap_vs_start_update: one slot, one subtask at a time.
void measureOneSlot(const Places& places, const Wanted& wanted, FigureList& list);
/// start_latency_*: from the commit of a subtask's row until runSubtask is entered.
void measureLatencies(const Places& places, const Wanted& wanted, FigureList& list);
/// small_task_ms: a task of 10+1 subtasks, from submit to succeed.
void measureSmallTask(const Places& places, const Wanted& wanted, FigureList& list);
/// idle_queries_* and idle_cpu_percent: daemons with nothing to do.
void measureIdle(const Places& places, const Wanted& wanted, FigureList& list);
/// idle_100_nodes_vs_select1: what the polls of 100 nodes cost the store.
void measureIdlePolls(const Places& places, const Wanted& wanted, FigureList& list);
/// Extra: subtasks/s with 1, 4, 16, 64 subtasks of a task at a time, and with 10 and 100 tasks of one at a time.
void measureSweep(const Places& places, const Wanted& wanted, FigureList& list);
/// Extra, scale: what grows with the number of nodes and rows, piece by piece.
void measureScale(const Places& places, const Wanted& wanted, FigureList& list);
/// Extra, task_5000_parallel_s and task_5000_serial_s: a task of 5,000 subtasks from submit to succeed.
void measureWholeTask(const Places& places, const Wanted& wanted, FigureList& list);
/// Extra, scheduler: the scheduler role with 200 nodes, 100 tasks and 100,000 subtasks; tests/bench/scheduler.sh.
void measureScheduler(const Places& places, const Wanted& wanted, FigureList& list);
/// Part of it: from the death or the standstill of an owner to the next one's rounds.
void measureFailover(const Places& places, const Wanted& wanted, FigureList& list);
/// Throughput of this daemon as a multiple of another one's, in turn.
void compareThroughput(
    const Places& places, const std::filesystem::path& other_daemon, const Wanted& wanted, FigureList& list
);

}  // namespace disttask::bench
