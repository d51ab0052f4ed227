#pragma once
#include "bench_store.hpp"

#include <cstdint>
#include <string>

namespace disttask::bench {

struct FloorRun {
  std::int64_t num_finished = 0;
  std::int64_t num_writes = 0;
  double seconds = 0;
};
/// What the store can take: one connection writes merged UPDATEs, each finishes `width` subtasks and starts the next
/// `width`, with the guards of the product (exec id, state, run token; for starts task and step) and the matched count
/// checked; ids are known before, nothing runs, and nothing is done between two writes.
[[nodiscard]] FloorRun runFloorWriter(
    BenchStore& store, std::int64_t task_id, const std::string& exec_id, std::size_t width, runtime::Duration length
);

/// Sends guarded single start UPDATEs, as the product does for one subtask, one after the other; returns the time of
/// each in microseconds.
[[nodiscard]] std::vector<double> timeStartUpdates(
    BenchStore& store, std::int64_t task_id, const std::string& exec_id, std::int64_t count
);

}  // namespace disttask::bench
