#include "scheduler_table.hpp"

#include "attempts.hpp"
#include "disttask/base/random.hpp"
#include "disttask/proto/row_error.hpp"
#include "events.hpp"
#include "factories.hpp"
#include "guarded_write.hpp"
#include "owner_fence.hpp"
#include "task_rows.hpp"

#include "statements/plan.hpp"
#include "statements/scheduler.hpp"

#include <algorithm>
#include <unordered_set>

namespace disttask::storage::mysql {

namespace {

std::vector<proto::SubtaskBase> readAllScheduled(sqlclient::Result rows, TaskId task_id) {
  std::vector<proto::SubtaskBase> subtasks;
  while (rows.next()) subtasks.push_back(readScheduled(rows, task_id));
  return subtasks;
}

}  // namespace

std::optional<TaskState> readTaskState(Connection& connection, TaskId id) {
  auto rows = connection.query(sql::kTaskState, {id.value()});
  if (!rows.next()) return std::nullopt;
  return proto::parseTaskState(rows.getString(1));
}

void MysqlSchedulerTable::fence(Connection& connection, proto::Life owner) {
  fenceOwner(connection, owner);
}

// --- the role ---

Owner MysqlSchedulerTable::getOwner(const Call& call) {
  if (context_.settings().without_side_tables) return {};
  return context_.read(call, "scheduler.get_owner", [&](Connection& connection) {
    auto rows = connection.query(sql::kOwner, {});
    if (!rows.next()) throw Exception(ErrorCode::kStoreSchema, "the owner row (disttask_owner, id 1) is missing");
    Owner owner;
    owner.exec_id = rows.getString(1);
    owner.life = proto::Life(rows.getInt(2));
    owner.renewals = rows.getInt(3);
    owner.term = rows.getInt(4);
    owner.address = rows.getString(5);
    owner.nudge_token = rows.getInt(6);
    return owner;
  });
}

std::optional<proto::Life> MysqlSchedulerTable::takeOwnership(
    const Call& call, const ExecId& exec_id, const Owner& observed
) {
  const proto::Life life(randomToken());
  const auto take = [&](Connection& connection) -> std::optional<proto::Life> {
    // The update first: it is the compare-and-set, and holds the row while the lease is read again.
    if (connection.update(sql::kOwnerTake, {exec_id, life.value(), observed.life.value()}) != 1) return std::nullopt;
    {
      auto rows = connection.query(sql::kOwnerLeaseLock, {});
      if (!rows.next()) throw Exception(ErrorCode::kStoreSchema, "the row of disttask_owner_lease is missing");
      if (rows.getInt(2) != observed.renewals) {
        connection.rollback();
        return std::nullopt;
      }
    }
    connection.update(sql::kOwnerLeaseTake, {life.value()});
    return life;
  };
  try {
    return context_.inTransaction(call, "scheduler.take_ownership", take);
  } catch (const Exception& e) {
    if (e.error().reaction() != Reaction::kReconnect) throw;
    // The life was drawn for this call alone, so the row says whether the commit that was not answered went through.
    const auto now = getOwner(call);
    if (now.life == life) return life;
    if (now.life == observed.life) throw;
    return std::nullopt;
  }
}

bool MysqlSchedulerTable::renewOwnership(const Call& call, proto::Life life) {
  const auto renew = [&] { return updateOne(*context_.acquireForLease(call), sql::kOwnerRenew, {life.value()}) == 1; };
  try {
    if (renew()) return true;
  } catch (const Exception& e) {
    if (e.error().reaction() != Reaction::kReconnect) throw;
    return renew();  // its session had died while it lay idle, or the first one was counted too: both are harmless
  }
  // 0 rows alone prove nothing (design rule 10).
  return getOwner(call).life == life && renew();
}

bool MysqlSchedulerTable::releaseOwnership(const Call& call, proto::Life life) {
  const auto release = [&](Connection& connection) {
    if (connection.update(sql::kOwnerRelease, {life.value()}) != 1) return false;
    connection.update(sql::kOwnerLeaseRelease, {life.value()});
    return true;
  };
  try {
    return context_.inTransaction(call, "scheduler.release_ownership", release);
  } catch (const Exception& e) {
    if (e.error().reaction() != Reaction::kReconnect) throw;
  }
  return context_.inTransaction(call, "scheduler.release_ownership", release) || getOwner(call).life == proto::Life();
}

// --- reads ---

std::vector<proto::TaskBase> MysqlSchedulerTable::getUnfinishedTasks(const Call& call, std::int32_t max_pending) {
  return context_.read(call, "scheduler.get_unfinished_tasks", [&](Connection& connection) {
    static const std::string text = sql::unfinishedTasksText();
    std::vector<proto::TaskBase> tasks;
    auto rows = connection.queryDynamic("unfinished_tasks", text, {std::int64_t{max_pending}});
    while (rows.next()) tasks.push_back(readTaskBase(rows));
    std::sort(tasks.begin(), tasks.end(), proto::outranks);
    const auto same = [](const auto& a, const auto& b) { return a.id == b.id; };
    tasks.erase(std::unique(tasks.begin(), tasks.end(), same), tasks.end());
    return tasks;
  });
}

std::vector<proto::TaskBase> MysqlSchedulerTable::getPendingTasksBehind(
    const Call& call, TaskId after, std::int32_t limit
) {
  return context_.read(call, "scheduler.get_pending_behind", [&](Connection& connection) {
    std::vector<proto::TaskBase> tasks;
    auto rows = connection.query(sql::kPendingTasksBehind, {after.value(), std::int64_t{limit}});
    while (rows.next()) tasks.push_back(readTaskBase(rows));
    return tasks;
  });
}

SubtaskCounts MysqlSchedulerTable::countSubtasks(const Call& call, TaskId task_id, Step step) {
  return context_.read(call, "scheduler.count_subtasks", [&](Connection& connection) {
    auto rows = connection.query(sql::kCountStates, {proto::taskKeyOf(task_id), std::int64_t{step.value()}});
    SubtaskCounts counts;
    while (rows.next()) {
      const auto state = proto::parseSubtaskState(rows.getString(1));
      if (!state) continue;
      const auto count = rows.getInt(2);
      switch (*state) {
        case proto::SubtaskState::kPending:
          counts.pending = count;
          break;
        case proto::SubtaskState::kRunning:
          counts.running = count;
          break;
        case proto::SubtaskState::kSucceed:
          counts.succeed = count;
          break;
        case proto::SubtaskState::kFailed:
          counts.failed = count;
          break;
        case proto::SubtaskState::kCanceled:
          counts.canceled = count;
          break;
        case proto::SubtaskState::kPaused:
          counts.paused = count;
          break;
      }
    }
    return counts;
  });
}

SubtaskPresence MysqlSchedulerTable::probeSubtasks(const Call& call, TaskId task_id, Step step) {
  sqlclient::Values values;
  for (int i = 0; i < sql::kNumStepProbes; ++i) {
    values.emplace_back(proto::taskKeyOf(task_id));
    values.emplace_back(std::int64_t{step.value()});
  }
  return context_.read(call, "scheduler.probe_subtasks", [&](Connection& connection) {
    auto rows = connection.query(sql::kProbeStep, values);
    if (!rows.next()) throw Exception(ErrorCode::kInternal, "a query without a table gave no row");
    return readPresence(rows, 1);
  });
}

std::int64_t MysqlSchedulerTable::countActiveSubtasks(const Call& call, TaskId task_id) {
  return context_.read(call, "scheduler.count_active", [&](Connection& connection) {
    auto rows = connection.query(sql::kCountActive, {proto::taskKeyOf(task_id)});
    return rows.next() ? rows.getInt(1) : 0;
  });
}

bool MysqlSchedulerTable::findFailedSubtask(const Call& call, TaskId task_id, Step step, std::string& error) {
  return context_.read(call, "scheduler.find_failed", [&](Connection& connection) {
    for (const auto* state : {"failed", "canceled"}) {
      const sqlclient::Values values{proto::taskKeyOf(task_id), std::int64_t{step.value()}, state};
      auto rows = connection.query(sql::kFirstError, values);
      if (!rows.next()) continue;
      error = proto::decodeRowError(rows.getString(1));
      return true;
    }
    return false;
  });
}

std::optional<Plan> MysqlSchedulerTable::getPlan(const Call& call, TaskId task_id, PlanKind kind, Step after_step) {
  return context_.read(call, "scheduler.get_plan", [&](Connection& connection) {
    return queryPlan(connection, task_id, kind, after_step);
  });
}

std::vector<Plan> MysqlSchedulerTable::getPlans(const Call& call, TaskId task_id) {
  return context_.read(call, "scheduler.get_plans", [&](Connection& connection) {
    auto rows = connection.query(sql::kAllPlansOfTask, {task_id.value()});
    std::vector<Plan> plans;
    while (rows.next()) plans.push_back(readPlan(rows));
    return plans;
  });
}

std::vector<proto::SubtaskBase> MysqlSchedulerTable::getPendingSubtasks(
    const Call& call, TaskId task_id, std::int32_t limit
) {
  return context_.read(call, "scheduler.get_pending", [&](Connection& connection) {
    const sqlclient::Values values{proto::taskKeyOf(task_id), std::int64_t{limit}};
    return readAllScheduled(connection.query(sql::kPendingOfTask, values), task_id);
  });
}

std::vector<std::pair<ExecId, SubtaskCounts>> MysqlSchedulerTable::countSubtasksByNode(
    const Call& call, TaskId task_id, const std::vector<ExecId>& strays
) {
  return context_.read(call, "scheduler.count_by_node", [&](Connection& connection) {
    const auto key = proto::taskKeyOf(task_id);
    auto rows = connection.query(sql::kCountByNode, {key, key});
    std::vector<std::pair<ExecId, SubtaskCounts>> nodes;
    while (rows.next()) {
      SubtaskCounts counts;
      counts.pending = rows.getInt(2);
      counts.running = rows.getInt(3);
      if (counts.unfinished() > 0) nodes.emplace_back(rows.getString(1), counts);
    }
    for (const auto& exec_id : strays) {
      auto of_stray = connection.query(sql::kCountOfStray, {exec_id, key, exec_id, key});
      SubtaskCounts counts;
      if (of_stray.next()) {
        counts.pending = of_stray.getInt(1);
        counts.running = of_stray.getInt(2);
      }
      if (counts.unfinished() > 0) nodes.emplace_back(exec_id, counts);
    }
    return nodes;
  });
}

std::vector<proto::SubtaskBase> MysqlSchedulerTable::getPendingSubtasksOfNode(
    const Call& call, TaskId task_id, const ExecId& exec_id, std::int32_t limit
) {
  return context_.read(call, "scheduler.get_pending_of_node", [&](Connection& connection) {
    const sqlclient::Values values{exec_id, proto::taskKeyOf(task_id), std::int64_t{limit}};
    return readAllScheduled(connection.query(sql::kPendingOfNode, values), task_id);
  });
}

std::vector<ExecId> MysqlSchedulerTable::findDeadHolders(const Call& call) {
  return context_.read(call, "scheduler.find_dead_holders", [&](Connection& connection) {
    auto rows = connection.query(sql::kDeadHolders, {});
    std::vector<ExecId> exec_ids;
    while (rows.next()) exec_ids.push_back(rows.getString(1));
    return exec_ids;
  });
}

std::vector<ExecId> MysqlSchedulerTable::findStrays(const Call& call) {
  return context_.read(call, "scheduler.find_strays", [&](Connection& connection) {
    std::unordered_set<ExecId> nodes;
    {
      auto rows = connection.query(sql::kNodeIds, {});
      while (rows.next()) nodes.insert(rows.getString(1));
    }
    const auto nextAfter = [&](const ExecId& exec_id) -> std::optional<ExecId> {
      auto rows = connection.query(sql::kNextHolder, {exec_id});
      if (!rows.next()) return std::nullopt;
      return rows.getString(1);
    };
    // From holder to holder, one index entry each.
    std::vector<ExecId> strays;
    for (auto holder = nextAfter(""); holder; holder = nextAfter(*holder)) {
      if (!nodes.contains(*holder)) strays.push_back(*holder);
    }
    return strays;
  });
}

std::vector<HandedBack> MysqlSchedulerTable::getHandedBack(const Call& call, TaskId task_id, std::int32_t limit) {
  return context_.read(call, "scheduler.get_handed_back", [&](Connection& connection) {
    auto rows = connection.query(sql::kHandedBack, {task_id.value(), std::int64_t{limit}});
    std::vector<HandedBack> found;
    while (rows.next()) {
      found.push_back(
          {readScheduled(rows, task_id),
           parseExecIds(rows.getString(kNumScheduledColumns + 1)),
           proto::decodeRowError(rows.getString(kNumScheduledColumns + 2))}
      );
    }
    return found;
  });
}

// --- plans and tasks ---

void MysqlSchedulerTable::createPlan(const Call& call, proto::Life owner, const Plan& plan) {
  const auto token = proto::makeRunToken(randomToken(), false);
  asOwner(call, owner, "scheduler.create_plan", [&](Connection& connection) {
    connection.update(
        sql::kPlanMake,
        {plan.task_id.value(), toText(plan.kind), std::int64_t{plan.after_step.value()}, plan.planner, token.value()}
    );
  });
}

void MysqlSchedulerTable::assignPlan(const Call& call, proto::Life owner, const Plan& plan, const ExecId& planner) {
  const auto token = proto::makeRunToken(randomToken(), false);
  const sqlclient::Values values{
      planner,
      token.value(),
      plan.task_id.value(),
      toText(plan.kind),
      std::int64_t{plan.after_step.value()},
      plan.token.value()};
  // No match: the plan ended meanwhile, or an earlier try of this has given it away already.
  asOwner(call, owner, "scheduler.assign_plan", [&](Connection& connection) {
    connection.update(sql::kPlanAssign, values);
  });
}

bool MysqlSchedulerTable::changeTask(const Call& call, proto::Life owner, TaskId id, const TaskChange& change) {
  const auto& transition = transitionOf(change.event);
  const auto only = transition.to.only();
  if (transition.actor != proto::TaskActor::kOwner || !isAllowed(change.from, change.event) || !only) {
    throw Exception(
        ErrorCode::kInvalidArgument,
        "the owner may not bring about '" + std::string(toString(change.event)) + "' of a task that is " +
            std::string(toString(change.from))
    );
  }
  const auto to = *only;
  const bool succeeds = to == TaskState::kSucceed;
  const sqlclient::Values values{
      std::string(toString(to)),
      std::int64_t{succeeds},
      change.error ? sqlclient::Value(proto::encodeRowError(*change.error)) : sqlclient::Value(nullptr),
      std::int64_t{to == TaskState::kRunning},
      std::int64_t{isDone(to)},
      id.value(),
      std::string(toString(change.from))};
  const auto token = proto::makeRunToken(randomToken(), false);
  return asOwner(call, owner, "scheduler.change_task", [&](Connection& connection) {
    if (connection.update(sql::kTaskChange, values) != 1) return readTaskState(connection, id) == to;
    if (change.clean_up_by) {
      constexpr std::int64_t kAfterAll = proto::kStepDone.value();
      connection.update(
          sql::kPlanMake, {id.value(), toText(PlanKind::kCleanUp), kAfterAll, *change.clean_up_by, token.value()}
      );
    }
    const auto reason = change.note.empty() ? change.error.value_or("") : change.note;
    addTaskEvent(connection, id, EventActor::owner(), change.event, toString(change.from), toString(to), reason);
    return true;
  });
}

std::vector<OpenCleanUp> MysqlSchedulerTable::findOpenCleanUps(const Call& call, TaskId after, std::int32_t limit) {
  return context_.read(call, "scheduler.open_clean_ups", [&](Connection& connection) {
    std::vector<OpenCleanUp> found;
    auto rows = connection.query(sql::kOpenCleanUps, {after.value(), std::int64_t{limit}});
    while (rows.next()) found.push_back({readTaskBase(rows), readPlan(rows, kNumTaskBaseColumns + 1)});
    return found;
  });
}

std::unique_ptr<SchedulerTable> makeSchedulerTable(StoreContext& context) {
  return std::make_unique<MysqlSchedulerTable>(context);
}

}  // namespace disttask::storage::mysql
