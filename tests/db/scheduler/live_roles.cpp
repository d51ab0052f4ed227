#include "live_roles.hpp"

#include <map>

namespace disttask::test {

using namespace std::chrono_literals;

plugin::PlannedBatch SteppedType::
    plan(plugin::PlanContext&, const proto::Task&, proto::Step step, const std::string& cursor, const plugin::PlanLimits&) {
  if (before_plan) before_plan(cursor);
  const int done = cursor.empty() ? 0 : std::stoi(cursor);
  plugin::PlannedBatch batch;
  for (int i = 1; i <= batch_rows; ++i) batch.metas.push_back(meta(done + i));
  batch.next_cursor = std::to_string(done + batch_rows);
  batch.complete = step != proto::Step(1) || done + batch_rows >= step_rows;
  return batch;
}

LivePlanner::LivePlanner(
    storage::mysql::Store& store,
    const std::string& exec_id,
    std::shared_ptr<SteppedType> type,
    std::function<void()> on_progress,
    runtime::Duration look_interval,
    const PlannerRetries& retries
) {
  types_.add(std::move(type));
  reactor_.start();
  planning::PlanningSettings settings;
  settings.exec_id = exec_id;
  settings.check_interval = look_interval;
  settings.max_interval = 50ms;
  settings.backoff = retries.backoff;
  settings.retry_limit = retries.limit;
  service_ = std::make_unique<planning::PlanningService>(
      settings,
      planning::PlanningParts{
          store.planTable(),
          store.nodeTable(),
          store.taskTable(),
          types_,
          runtime::systemClock(),
          reactor_,
          ctl_,
          work_,
          std::move(on_progress)}
  );
  service_->start();
}

LiveOwner::LiveOwner(storage::mysql::Store& store, const std::string& exec_id, scheduler::SchedulerSettings settings) {
  reactor_.start();
  service_ = std::make_unique<scheduler::SchedulerService>(
      scheduler::SchedulerDeps{
          store.nodeTable(),
          store.schedulerTable(),
          runtime::systemClock(),
          reactor_,
          ctl_,
          exec_id,
          [] { return std::optional(runtime::systemClock().now()); },
          {}},
      settings
  );
  service_->start();
}

void finishPending(SchedulerFixture& fixture, proto::TaskId task) {
  try {
    fixture.store().execute(
        "update tidb_background_subtask set state='succeed', start_time=unix_timestamp(), end_time=now() where "
        "task_key='" +
        std::to_string(task.value()) + "' and state='pending'"
    );
  } catch (const Exception& e) {
    if (e.error().code() != ErrorCode::kStoreConflict) throw;  // a batch is on its way: once more later
  }
}

std::string findHoles(SchedulerFixture& fixture, proto::TaskId task) {
  const auto connection = fixture.store().connect();
  auto rows = connection->queryDynamic(
      "test.holes",
      "select step, ordinal, meta from tidb_background_subtask where task_key=? order by step, ordinal",
      {proto::taskKeyOf(task)}
  );
  std::map<std::int64_t, std::int64_t> last;
  while (rows.next()) {
    const auto expected = ++last[rows.getInt(1)];
    const auto meta = "{\"n\":" + std::to_string(expected) + "}";
    if (rows.getInt(2) != expected || rows.getString(3) != meta) {
      return "step " + std::to_string(rows.getInt(1)) + ": ordinal " + std::to_string(rows.getInt(2)) + " with " +
             rows.getString(3) + " where " + std::to_string(expected) + " was expected";
    }
  }
  return {};
}

}  // namespace disttask::test
