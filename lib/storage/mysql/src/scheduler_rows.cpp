#include "scheduler_rows.hpp"

#include "attempts.hpp"
#include "disttask/base/error.hpp"

#include "statements/plan.hpp"

namespace disttask::storage::mysql {

namespace {

std::int32_t getInt32(const sqlclient::Result& row, std::uint32_t column) {
  return static_cast<std::int32_t>(row.getInt(column));
}

}  // namespace

proto::SubtaskBase readScheduled(const sqlclient::Result& row, TaskId task_id) {
  proto::SubtaskBase subtask;
  subtask.id = proto::SubtaskId(row.getInt(1));
  subtask.task_id = task_id;
  subtask.step = row.isNull(2) ? proto::kStepInit : Step(getInt32(row, 2));
  subtask.ordinal = getInt32(row, 3);
  subtask.exec_id = row.getString(4);
  subtask.state = proto::parseSubtaskState(row.getString(5)).value_or(proto::SubtaskState::kPending);
  subtask.slots = getInt32(row, 6);
  subtask.token = proto::RunToken(row.getInt(7));
  return subtask;
}

Plan readPlan(const sqlclient::Result& row, std::uint32_t first) {
  Plan plan;
  plan.task_id = TaskId(row.getInt(first));
  for (const auto kind : {PlanKind::kRevert, PlanKind::kCleanUp}) {
    if (row.getString(first + 1) == toText(kind)) plan.kind = kind;
  }
  plan.after_step = Step(getInt32(row, first + 2));
  if (!row.isNull(first + 3)) plan.step = Step(getInt32(row, first + 3));
  plan.planner = row.getString(first + 4);
  plan.token = proto::RunToken(row.getInt(first + 5));
  plan.next_ordinal = getInt32(row, first + 6);
  plan.complete = row.getInt(first + 7) != 0;
  plan.failed = row.getInt(first + 8) != 0;
  plan.retries = getInt32(row, first + 9);
  plan.error = row.getString(first + 10);
  if (!row.isNull(first + 11)) plan.handed_back = parseExecIds(row.getString(first + 11));
  plan.cleans_up = row.getInt(first + 12) != 0;
  if (row.numColumns() >= first + 13) plan.cursor = row.getString(first + 13);
  return plan;
}

SubtaskPresence readPresence(const sqlclient::Result& row, std::uint32_t first) {
  SubtaskPresence presence;
  presence.failed = !row.isNull(first) || !row.isNull(first + 1);
  presence.pending = !row.isNull(first + 2);
  presence.running = !row.isNull(first + 3);
  presence.paused = !row.isNull(first + 4);
  return presence;
}

std::optional<Plan> queryPlan(sqlclient::Connection& connection, TaskId task_id, PlanKind kind, Step after_step) {
  auto rows = connection.query(sql::kPlan, {task_id.value(), toText(kind), std::int64_t{after_step.value()}});
  if (!rows.next()) return std::nullopt;
  return readPlan(rows);
}

const char* toText(PlanKind kind) noexcept {
  switch (kind) {
    case PlanKind::kRevert:
      return "revert";
    case PlanKind::kCleanUp:
      return "cleanup";
    case PlanKind::kStep:
      break;
  }
  return "step";
}

sqlclient::Value toBind(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  return *text;
}

}  // namespace disttask::storage::mysql
