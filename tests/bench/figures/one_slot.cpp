// One slot, one subtask at a time, on an otherwise idle server: what a subtask costs, and the gap between two.
#include "daemon_run.hpp"
#include "figures.hpp"
#include "floor_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace disttask::bench {

void measureOneSlot(const Places& places, const Wanted& wanted, FigureList& list) {
  const bool gap = wanted.has("gap_vs_start_update");
  if (!gap && !wanted.has("roundtrips_per_subtask") && !wanted.has("commits_per_subtask")) return;
  const auto num_rows = wanted.rows(40'000);
  const auto num_starts = wanted.rows(2'000);
  BenchStore store(sqlclient::toConnectSettings(places.dsn), "disttask_bench_a");
  RunLog log(places.runLog());
  const auto task = store.addTask(1);
  store.addSubtasks(task, kLoadNode, 1, num_rows, 0);
  std::vector<double> roundtrips;
  std::vector<double> commits;
  std::vector<double> gaps;
  for (int round = 0; round < wanted.times(2, 5); ++round) {
    store.resetRuns(task);
    store.settle();
    const auto starts = timeStartUpdates(store, task, kLoadNode, num_starts);
    store.resetRuns(task);
    store.settle();
    // What no daemon can be faster than: an end and the next start in one write.
    const auto bare = runFloorWriter(store, task, kLoadNode, 1, wanted.span(std::chrono::seconds(1)));
    FigureList::note(fmt::format(
        "  one bare write of an end and a start: {:.0f} us", bare.seconds * 1e6 / static_cast<double>(bare.num_writes)
    ));
    store.resetRuns(task);
    store.settle();
    const auto run = runDaemon(places, store, log, {task}, 1, num_rows, std::chrono::seconds(4));
    roundtrips.push_back(run.perRun("Questions"));
    commits.push_back(std::max(run.perRun("Handler_commit"), run.perRun("Innodb_data_fsyncs")));
    gaps.push_back(medianOf(run.gaps_us) / medianOf(starts));
    FigureList::note(fmt::format(
        "  one at a time: {:.0f}/s; per subtask {:.3f} questions ({:.3f} executions of prepared statements, {:.3f} "
        "updates,"
        " {:.3f} selects), {:.3f} commits of the engine, {:.3f} fsyncs; gap p50 {:.0f} us, start update p50 {:.0f} us",
        run.perSecond(),
        run.perRun("Questions"),
        run.perRun("Com_stmt_execute"),
        run.perRun("Com_update"),
        run.perRun("Com_select"),
        run.perRun("Handler_commit"),
        run.perRun("Innodb_data_fsyncs"),
        medianOf(run.gaps_us),
        medianOf(starts)
    ));
  }
  if (wanted.has("roundtrips_per_subtask")) {
    list.add({"roundtrips_per_subtask", "round trips", "<=", 1.3, roundtrips, {}});
  }
  if (wanted.has("commits_per_subtask")) list.add({"commits_per_subtask", "commits", "<=", 1.1, commits, {}});
  if (gap) list.add({"gap_vs_start_update", "x", "<=", 1.5, gaps, {}});
}

}  // namespace disttask::bench
