#pragma once
#include "node_daemon.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace disttask::bench {

inline constexpr const char* kLoadNode = "bench-load";

/// What one daemon did with rows that were in the table before it started.
struct DaemonRun {
  double seconds = 0;                           ///< of the window
  std::int64_t num_runs = 0;                    ///< in the window
  std::map<std::string, std::int64_t> counted;  ///< counters of the server, over the window; Questions without ours
  std::vector<double> gaps_us;     ///< from the return of a run to the begin of the next one, in order of their notes
  std::int64_t num_succeeded = 0;  ///< rows, over the whole run, counted in the table
  [[nodiscard]] double perSecond() const { return static_cast<double>(num_runs) / seconds; }
  [[nodiscard]] double perRun(const std::string& counter) const {
    return static_cast<double>(counted.at(counter)) / static_cast<double>(num_runs);
  }
};

/// Starts a daemon (kLoadNode) on rows that are pending, leaves out its start and first runs, watches it for `length`
/// or until 9/10 of `num_pending` have run, stops it, and compares the rows that succeeded with the runs: throws when
/// they differ by more than runs may that a stop has interrupted.
[[nodiscard]] DaemonRun runDaemon(
    const Places& places,
    BenchStore& store,
    RunLog& log,
    const std::vector<std::int64_t>& tasks,
    std::int32_t parallel,
    std::int64_t num_pending,
    runtime::Duration length
);

}  // namespace disttask::bench
