#include "disttask/storage/mysql/health.hpp"

#include "schema_sql.hpp"
#include "store_context.hpp"
#include "task_rows.hpp"

#include "statements/dxf.hpp"
#include "statements/health.hpp"

#include <ctime>
#include <sstream>

namespace disttask::storage::mysql {

namespace {

/// The clock of this host's people, which the store's is compared with; nothing is timed by it.
std::int64_t hostMillis() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::int64_t number(Connection& connection, const sqlclient::Sql& sql, const sqlclient::Values& values) {
  auto rows = connection.query(sql, values);
  return rows.next() ? rows.getInt(1) : 0;
}

bool isLocal(const sqlclient::Endpoint& endpoint) {
  return !endpoint.socket.empty() || endpoint.host == "localhost" || endpoint.host == "::1" ||
         endpoint.host.rfind("127.", 0) == 0;
}

std::vector<std::string> split(std::string_view rights) {
  std::istringstream stream{std::string(rights)};
  std::vector<std::string> words;
  for (std::string word; std::getline(stream, word, ',');) {
    if (!word.empty() && word.front() == ' ') word.erase(0, 1);
    words.push_back(word);
  }
  return words;
}

/// Any column will do for an update that changes nothing.
std::string firstColumn(Connection& connection, const std::string& schema, const std::string& table) {
  auto rows = connection.query(sql::kFirstColumn, {schema, table});
  return rows.next() ? quoteName(rows.getString(1)) : "id";
}

PlanKind kindOf(const std::string& text) {
  return text == "revert" ? PlanKind::kRevert : text == "cleanup" ? PlanKind::kCleanUp : PlanKind::kStep;
}

std::vector<RowsOfNode> readDeadHolders(Connection& connection, std::int64_t limit) {
  std::vector<RowsOfNode> holders;
  {
    auto rows = connection.query(sql::kDeadNodesWithRows, {limit});
    while (rows.next()) holders.push_back({rows.getString(1), rows.getInt(2) != 0});
  }
  for (auto& holder : holders) {
    holder.pending = number(connection, sql::kRowsOfNode, {holder.exec_id, "pending", limit});
    holder.running = number(connection, sql::kRowsOfNode, {holder.exec_id, "running", limit});
  }
  return holders;
}

std::vector<TaskHealth> readTasks(Connection& connection, std::int64_t limit) {
  std::vector<TaskHealth> tasks;
  auto rows = connection.query(sql::kUnfinishedHealth, {limit});
  while (rows.next()) {
    if (!proto::parseTaskState(rows.getString(4))) continue;  // told of by unknown_states
    tasks.push_back({readTaskBase(rows), rows.getInt(12), !rows.isNull(13), !rows.isNull(14)});
  }
  return tasks;
}

std::vector<PlanHealth> readPlans(Connection& connection, std::int64_t limit) {
  std::vector<PlanHealth> plans;
  auto rows = connection.query(sql::kOpenPlansHealth, {limit});
  while (rows.next()) {
    PlanHealth plan;
    plan.task_id = TaskId(rows.getInt(1));
    plan.task_key = rows.getString(2);
    plan.task_state = rows.getString(3);
    plan.kind = kindOf(rows.getString(4));
    plan.planner = rows.getString(5);
    plan.is_planner_alive = rows.getInt(6) != 0;
    plan.failed = rows.getInt(7) != 0;
    plan.error = rows.getString(8);
    plan.age_s = rows.getInt(9);
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace

ServerHealth Health::lookAtServer(const runtime::Call& call) {
  return context_.read(call, "health.server", [](Connection& connection) {
    ServerHealth health;
    health.server = std::string(toString(connection.flavour())) + " " + connection.serverVersion();
    health.is_local = isLocal(connection.endpoint());
    {
      auto rows = connection.query(sql::kSessionCipher, {});
      if (rows.next()) health.cipher = rows.getString(2);
    }
    const bool is_tidb = connection.flavour() == sqlclient::Flavour::kTiDb;
    health.is_read_only = number(connection, is_tidb ? sql::kReadOnlyTiDb : sql::kReadOnly, {}) != 0;
    number(connection, sql::kStoreTime, {});  // prepared now, so that the next one is one round trip
    const auto before = hostMillis();
    const auto store = number(connection, sql::kStoreTime, {});
    const auto after = hostMillis();
    health.skew_ms = store - (before + (after - before) / 2);
    health.skew_error_ms = (after - before + 1) / 2;
    return health;
  });
}

std::vector<MissingRight> Health::findMissingRights(const runtime::Call& call, const std::vector<TableRights>& needed) {
  return context_.read(call, "health.rights", [&](Connection& connection) {
    std::vector<MissingRight> missing;
    for (const auto& [schema, name, rights] : needed) {
      const auto table = quoteName(schema) + "." + quoteName(name);
      for (const auto& right : split(rights)) {
        try {
          const auto column = right == "update" ? firstColumn(connection, schema, std::string(name)) : "";
          connection.execute(sql::rightProbeText(right, table, column));
        } catch (const Exception& e) {
          // A table that is missing is told of by the look at the schema.
          if (e.error().code() == ErrorCode::kStoreSchema) continue;
          if (e.error().code() != ErrorCode::kStoreNoPrivilege) throw;
          missing.push_back({std::string(name), right, e.error().message()});
        }
      }
    }
    return missing;
  });
}

StuckStates Health::findStuckStates(const runtime::Call& call, std::int32_t limit) {
  const std::int64_t most = limit;
  return context_.read(call, "health.stuck", [&](Connection& connection) {
    StuckStates stuck;
    stuck.tasks = readTasks(connection, most);
    stuck.dead_holders = readDeadHolders(connection, most);
    stuck.plans = readPlans(connection, most);
    {
      auto rows = connection.query(sql::kLostRows, {most});
      while (rows.next()) stuck.lost_rows.push_back({rows.getString(1), rows.getString(2)});
    }
    {
      auto rows = connection.query(sql::kStatesOfTasks, {});
      while (rows.next()) {
        if (!proto::parseTaskState(rows.getString(1))) {
          stuck.unknown_states.emplace_back(rows.getString(1), rows.getInt(2));
        }
      }
    }
    stuck.left_attempts = number(connection, sql::kLeftAttempts, {most});
    return stuck;
  });
}

WorkOfNode Health::lookAtNode(const runtime::Call& call, const ExecId& exec_id, std::int32_t limit) {
  const std::int64_t most = limit;
  return context_.read(call, "health.node", [&](Connection& connection) {
    WorkOfNode work;
    {
      auto rows = connection.query(sql::kRunsOfNode, {exec_id, most});
      while (rows.next()) {
        RunOnNode run;
        run.id = proto::SubtaskId(rows.getInt(1));
        run.task_id = TaskId(rows.getInt(2));
        run.task_key = rows.getString(3);
        run.step = proto::Step(static_cast<std::int32_t>(rows.getInt(4)));
        run.ordinal = static_cast<std::int32_t>(rows.getInt(5));
        run.slots = static_cast<std::int32_t>(rows.getInt(6));
        run.runs_for_s = rows.getInt(7);
        work.runs.push_back(std::move(run));
      }
    }
    work.pending = number(connection, sql::kRowsOfNode, {exec_id, "pending", most});
    work.plans = number(connection, sql::kPlansOfNode, {exec_id});
    return work;
  });
}

std::vector<TaskOnNode> Health::listTasksOfNode(const runtime::Call& call, const ExecId& exec_id, std::int32_t limit) {
  return context_.read(call, "health.tasks_of_node", [&](Connection& connection) {
    std::vector<TaskOnNode> tasks;
    auto rows = connection.query(sql::kTasksOfNode, {exec_id, std::int64_t{limit}});
    while (rows.next()) {
      TaskOnNode task;
      task.task_id = TaskId(rows.getInt(1));
      task.task_key = rows.getString(2);
      task.state = rows.getString(3);
      task.scope = rows.getString(4);
      task.pending = rows.getInt(5);
      task.running = rows.getInt(6);
      tasks.push_back(std::move(task));
    }
    return tasks;
  });
}

std::vector<RowsNamingNode> Health::listRowsNaming(
    const runtime::Call& call, const ExecId& exec_id, std::int32_t limit
) {
  return context_.read(call, "health.rows_naming_node", [&](Connection& connection) {
    std::vector<RowsNamingNode> found;
    auto rows = connection.query(sql::kRowsNamingNode, {exec_id, std::int64_t{limit}});
    while (rows.next()) {
      RowsNamingNode row;
      row.task = {
          TaskId(rows.getInt(1)),
          rows.getString(2),
          rows.getString(3),
          rows.getString(4),
          rows.getInt(5),
          rows.getInt(6)};
      row.paused = rows.getInt(7);
      row.ended = rows.getInt(8);
      row.task_ended_at = rows.isNull(9) ? 0 : rows.getInt(9);
      found.push_back(std::move(row));
    }
    return found;
  });
}

std::vector<RegisteredHost> Health::listRegistered(const runtime::Call& call, std::int32_t limit) {
  return context_.read(call, "health.registered", [&](Connection& connection) {
    std::vector<RegisteredHost> hosts;
    auto rows = connection.query(sql::kRegistered, {std::int64_t{limit}});
    while (rows.next())
      hosts.push_back({rows.getString(1), rows.getString(2), static_cast<std::int32_t>(rows.getInt(3))});
    return hosts;
  });
}

}  // namespace disttask::storage::mysql
