#include "disttask/storage/memory/memory_run_log_table.hpp"

#include <algorithm>

namespace disttask::storage {

void MemoryRunLogTable::writeLogs(
    const runtime::Call& call, const proto::ExecId& exec_id, const std::vector<RunLog>& logs
) {
  if (logs.size() > kMaxRunLogs) throw Exception(ErrorCode::kInvalidArgument, "lines of too many runs");
  rows_.apply(call, "writeLogs", [&](MemoryRows::Data& data) {
    for (const auto& log : logs) {
      const auto row = data.subtasks.find(log.subtask_id);
      if (row == data.subtasks.end() || row->second.token != log.token) continue;
      auto& kept = data.run_logs[log.subtask_id];
      kept = log;
      kept.exec_id = exec_id;
      kept.written_ms = data.now_ms;
    }
  });
}

std::optional<RunLog> MemoryRunLogTable::findLog(const runtime::Call& call, proto::SubtaskId id) {
  return rows_.apply(call, "findLog", [&](MemoryRows::Data& data) -> std::optional<RunLog> {
    const auto at = data.run_logs.find(id);
    if (at == data.run_logs.end()) return std::nullopt;
    return at->second;
  });
}

std::int64_t MemoryRunLogTable::forgetLogs(
    const runtime::Call& call, std::optional<proto::Life> /*owner*/, runtime::Duration keep, std::int32_t limit
) {
  return rows_.apply(call, "forgetLogs", [&](MemoryRows::Data& data) {
    const auto before = data.now_ms - std::chrono::duration_cast<std::chrono::seconds>(keep).count() * 1000;
    std::vector<const RunLog*> old;
    for (const auto& [id, log] : data.run_logs) {
      if (log.written_ms < before) old.push_back(&log);
    }
    std::sort(old.begin(), old.end(), [](const auto* a, const auto* b) { return a->written_ms < b->written_ms; });
    if (old.size() > static_cast<std::size_t>(limit)) old.resize(static_cast<std::size_t>(limit));
    for (const auto* log : old) data.run_logs.erase(log->subtask_id);
    return static_cast<std::int64_t>(old.size());
  });
}

}  // namespace disttask::storage
