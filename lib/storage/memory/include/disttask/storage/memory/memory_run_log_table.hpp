#pragma once
#include "disttask/storage/memory/memory_rows.hpp"
#include "disttask/storage/run_log_table.hpp"

namespace disttask::storage {

/// RunLogTable on MemoryRows, with the semantics that RunLogTable documents; owners are not fenced. The rows must
/// outlive it.
class MemoryRunLogTable : public RunLogTable {
 public:
  explicit MemoryRunLogTable(MemoryRows& rows) : rows_(rows) {}

  void writeLogs(const runtime::Call& call, const proto::ExecId& exec_id, const std::vector<RunLog>& logs) override;
  std::optional<RunLog> findLog(const runtime::Call& call, proto::SubtaskId id) override;
  std::int64_t forgetLogs(
      const runtime::Call& call, std::optional<proto::Life> owner, runtime::Duration keep, std::int32_t limit
  ) override;

 private:
  MemoryRows& rows_;
};

}  // namespace disttask::storage
