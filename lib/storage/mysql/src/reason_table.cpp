#include "disttask/storage/reason_table.hpp"

#include "disttask/base/json.hpp"
#include "disttask/proto/row_error.hpp"
#include "factories.hpp"
#include "store_context.hpp"
#include "task_rows.hpp"

#include "statements/dxf.hpp"
#include "statements/reasons.hpp"

namespace disttask::storage::mysql {

namespace {

TriedSubtask readTried(const sqlclient::Result& row) {
  TriedSubtask subtask;
  subtask.id = proto::SubtaskId(row.getInt(1));
  subtask.ordinal = static_cast<std::int32_t>(row.getInt(2));
  subtask.exec_id = row.getString(3);
  subtask.not_before_ms = row.getInt(4);
  subtask.retries = static_cast<std::int32_t>(row.getInt(5));
  subtask.abnormal_ends = static_cast<std::int32_t>(row.getInt(6));
  subtask.handed_back = row.getInt(7) != 0;
  subtask.last_error = row.getString(8);
  return subtask;
}

/// A checkpoint is the task type's own text: what is not meant for us says nothing.
std::optional<std::string> throttledBy(const std::string& checkpoint) {
  try {
    const auto json = Json::parse(checkpoint);
    const auto* reason = json.isObject() ? json.find("throttled_by") : nullptr;
    if (reason == nullptr || !reason->isString()) return std::nullopt;
    return reason->asString();
  } catch (const Exception&) {
    return std::nullopt;
  }
}

/// Runs one of the two queries for a subtask.
std::optional<SubtaskPlace> queryPlace(
    Connection& connection, const sqlclient::Sql& query, TaskId task_id, proto::SubtaskId id
) {
  auto rows = connection.query(query, {id.value(), proto::taskKeyOf(task_id)});
  if (!rows.next()) return std::nullopt;
  SubtaskPlace place;
  place.tried = readTried(rows);
  place.step = Step(static_cast<std::int32_t>(rows.getInt(9)));
  const auto state = rows.getString(10);
  const auto known = proto::parseSubtaskState(state);
  if (!known) {
    throw Exception(
        ErrorCode::kUnsupported,
        "subtask " + std::to_string(id.value()) + " is in state '" + state + "', which this version does not know"
    );
  }
  place.state = *known;
  place.error = proto::decodeRowError(rows.getString(11));
  return place;
}

/// ReasonTable on the server; its doc comments are the contract.
class MysqlReasonTable final : public ReasonTable {
 public:
  explicit MysqlReasonTable(StoreContext& context) : context_(context) {}

  RoleHolder getRoleHolder(const Call& call) override {
    return context_.read(call, "reasons.role_holder", [](Connection& connection) {
      auto rows = connection.query(sql::kRoleHolder, {});
      if (!rows.next()) throw Exception(ErrorCode::kStoreSchema, "the owner row (disttask_owner, id 1) is missing");
      RoleHolder holder;
      holder.exec_id = rows.getString(1);
      holder.life = proto::Life(rows.getInt(2));
      holder.node_life = proto::Life(rows.getInt(3));
      holder.lease_ms = rows.getInt(4);
      if (!rows.isNull(5)) holder.since_renewal_ms = rows.getInt(5);
      return holder;
    });
  }

  std::vector<SlotHolder> getSlotHolders(const Call& call, std::int32_t limit) override {
    return readHolders(
        call, "reasons.slot_holders", context_.dialect() != nullptr ? sql::kDxfSlotHolders : sql::kSlotHolders, limit
    );
  }

  std::vector<SlotHolder> getSlotUsers(const Call& call, std::int32_t limit) override {
    return readHolders(call, "reasons.slot_users", sql::kSlotUsers, limit);
  }

  std::vector<SubtasksOnNode> getPending(const Call& call, TaskId task_id, Step step, std::int32_t limit) override {
    return getNodes(call, task_id, step, proto::SubtaskState::kPending, limit);
  }

  std::vector<SubtasksOnNode> getRunning(const Call& call, TaskId task_id, Step step, std::int32_t limit) override {
    return getNodes(call, task_id, step, proto::SubtaskState::kRunning, limit);
  }

  std::vector<ThrottledSubtask> getThrottled(const Call& call, TaskId task_id, Step step, std::int32_t limit) override {
    return context_.read(call, "reasons.throttled_subtasks", [&](Connection& connection) {
      auto rows = connection.query(
          sql::kThrottledSubtasks, {proto::taskKeyOf(task_id), std::int64_t{step.value()}, std::int64_t{limit}}
      );
      std::vector<ThrottledSubtask> throttled;
      while (rows.next()) {
        if (auto reason = throttledBy(rows.getString(3))) {
          throttled.push_back({proto::SubtaskId(rows.getInt(1)), rows.getString(2), std::move(*reason)});
        }
      }
      return throttled;
    });
  }

  std::vector<TriedSubtask> getTried(const Call& call, TaskId task_id, std::int32_t limit) override {
    return context_.read(call, "reasons.tried_subtasks", [&](Connection& connection) {
      auto rows = connection.query(sql::kTriedSubtasks, {task_id.value(), std::int64_t{limit}});
      std::vector<TriedSubtask> tried;
      while (rows.next()) {
        tried.push_back(readTried(rows));
      }
      return tried;
    });
  }

  std::optional<SubtaskPlace> getSubtask(
      const Call& call, TaskId task_id, proto::SubtaskId subtask_id, std::int32_t limit
  ) override {
    return context_.read(call, "reasons.subtask", [&](Connection& connection) {
      auto place = queryPlace(connection, sql::kSubtaskPlace, task_id, subtask_id);
      if (!place) return queryPlace(connection, sql::kSubtaskPlaceHistory, task_id, subtask_id);
      if (place->state != proto::SubtaskState::kPending) return place;
      auto rows = connection.query(
          sql::kSubtasksAhead,
          {place->tried.exec_id,
           proto::taskKeyOf(task_id),
           std::int64_t{place->step.value()},
           std::int64_t{place->tried.ordinal},
           std::int64_t{limit}}
      );
      if (rows.next()) place->ahead = rows.getInt(1);
      return place;
    });
  }

  std::vector<RestingPlan> getRestingPlans(const Call& call, TaskId task_id) override {
    return context_.read(call, "reasons.resting_plans", [&](Connection& connection) {
      auto rows = connection.query(sql::kRestingPlans, {task_id.value()});
      std::vector<RestingPlan> plans;
      while (rows.next()) {
        const auto kind = rows.getString(1) == "revert" ? PlanKind::kRevert : PlanKind::kStep;
        plans.push_back({kind, Step(static_cast<std::int32_t>(rows.getInt(2))), rows.getInt(3)});
      }
      return plans;
    });
  }

 private:
  std::vector<SlotHolder> readHolders(
      const Call& call, std::string_view name, const sqlclient::Sql& query, std::int32_t limit
  ) {
    return context_.read(call, name, [&](Connection& connection) {
      auto rows = connection.query(query, {std::int64_t{limit}});
      std::vector<SlotHolder> holders;
      while (rows.next()) {
        const TaskId id(rows.getInt(2));
        holders.push_back({rows.getString(1), id, rows.getString(3), static_cast<std::int32_t>(rows.getInt(4))});
      }
      return holders;
    });
  }

  std::vector<SubtasksOnNode> getNodes(
      const Call& call, TaskId task_id, Step step, proto::SubtaskState state, std::int32_t limit
  ) {
    return context_.read(call, "reasons.nodes_of_state", [&](Connection& connection) {
      const sqlclient::Values values{
          proto::taskKeyOf(task_id), std::int64_t{step.value()}, std::string(toString(state)), std::int64_t{limit}};
      auto rows = connection.query(sql::kNodesOfState, values);
      std::vector<SubtasksOnNode> nodes;
      while (rows.next()) nodes.push_back({rows.getString(1), rows.getInt(2)});
      return nodes;
    });
  }

  StoreContext& context_;
};

}  // namespace

std::unique_ptr<ReasonTable> makeReasonTable(StoreContext& context) {
  return std::make_unique<MysqlReasonTable>(context);
}

}  // namespace disttask::storage::mysql
