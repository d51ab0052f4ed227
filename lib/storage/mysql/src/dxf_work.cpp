#include "dxf_work.hpp"

#include "task_rows.hpp"

#include "statements/dxf.hpp"

namespace disttask::storage::mysql {

std::vector<proto::TaskExecInfo> findDxfWork(
    sqlclient::Connection& connection, const proto::ExecId& exec_id, bool only_one
) {
  std::vector<proto::TaskExecInfo> active;
  {
    auto rows = connection.query(sql::kDxfActiveTasks, {});
    while (rows.next()) active.push_back({readTaskBase(rows), 0});
  }
  std::vector<proto::TaskExecInfo> work;
  for (auto& info : active) {
    const auto key = proto::taskKeyOf(info.task.id);
    const std::int64_t step = info.task.step.value();
    auto rows = info.task.state == proto::TaskState::kRunning
                    ? connection.query(sql::kDxfWorkOfStep, {key, step, exec_id})
                    : connection.query(sql::kDxfWorkOfTask, {key, exec_id});
    if (!rows.next()) continue;
    info.subtask_slots = static_cast<std::int32_t>(rows.getInt(1));
    work.push_back(std::move(info));
    if (only_one) break;
  }
  return work;
}

}  // namespace disttask::storage::mysql
