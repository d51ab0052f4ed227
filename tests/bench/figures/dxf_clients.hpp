#pragma once
#include "bench_store.hpp"

#include <cstdint>
#include <string>

namespace disttask::bench {

inline constexpr std::int64_t kDxfClients = 16;
/// Returns the exec id of a client, from 0.
[[nodiscard]] std::string dxfExecId(std::int64_t client);
/// Replaces our indexes of the subtask table by those of DXF (contract 1.3).
void useDxfIndexes(BenchStore& store);

struct DxfRun {
  std::int64_t num_finished = 0;
  double seconds = 0;
};
/// 16 connections with an exec id each run empty subtasks as DXF's executor does, with its statements and nothing
/// around them: select the task; select the first subtask; begin; update it to running; commit; update it to succeed
/// with its meta. For `length`, each client's first subtask left out.
[[nodiscard]] DxfRun runDxfClients(BenchStore& store, std::int64_t task_id, runtime::Duration length);

}  // namespace disttask::bench
