// What a round of the owner looks at of all tasks: a few statements, however many tasks there are.
#include "scheduler_rows.hpp"
#include "scheduler_table.hpp"

#include "statements/plan.hpp"
#include "statements/scheduler.hpp"

#include <algorithm>

namespace disttask::storage::mysql {

namespace {

using Looks = std::map<TaskId, TaskLook>;

/// Reads the plans of all unfinished tasks; a task without one has none.
void readPlans(Connection& connection, Looks& looks) {
  static const std::string text = sql::plansOfUnfinishedText();
  auto rows = connection.queryDynamic("plans_of_unfinished", text, {});
  while (rows.next()) {
    const auto look = looks.find(TaskId(rows.getInt(1)));
    if (look != looks.end()) look->second.plans.push_back(readPlan(rows));
  }
}

void addBinds(sqlclient::Values& values, const proto::TaskBase& task) {
  values.emplace_back(task.id.value());
  for (int i = 0; i < sql::kNumStepProbes; ++i) {
    values.emplace_back(proto::taskKeyOf(task.id));
    values.emplace_back(std::int64_t{task.step.value()});
  }
  values.emplace_back(task.id.value());
}

}  // namespace

std::map<TaskId, TaskLook> MysqlSchedulerTable::lookAtTasks(
    const Call& call, const std::vector<proto::TaskBase>& tasks
) {
  return context_.read(call, "scheduler.look_at_tasks", [&](Connection& connection) {
    Looks looks;
    std::vector<const proto::TaskBase*> begun;
    for (const auto& task : tasks) {
      looks.emplace(task.id, TaskLook{});
      if (task.state != proto::TaskState::kPending && task.step != proto::kStepInit) begun.push_back(&task);
    }
    readPlans(connection, looks);
    static const std::string text = sql::probeStepsText();
    for (std::size_t first = 0; first < begun.size(); first += sql::kStepsPerProbe) {
      sqlclient::Values values;
      for (std::size_t i = 0; i < sql::kStepsPerProbe; ++i) {
        addBinds(values, *begun[std::min(first + i, begun.size() - 1)]);
      }
      auto rows = connection.queryDynamic("probe_steps", text, values);
      while (rows.next()) {
        auto& look = looks[TaskId(rows.getInt(1))];
        look.rows = readPresence(rows, 2);
        look.may_have_handed_back = !rows.isNull(2 + sql::kNumStepProbes);
      }
    }
    return looks;
  });
}

}  // namespace disttask::storage::mysql
