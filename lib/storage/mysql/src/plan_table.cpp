#include "attempts.hpp"
#include "disttask/base/failpoint.hpp"
#include "disttask/base/random.hpp"
#include "disttask/base/utf8.hpp"
#include "disttask/proto/row_error.hpp"
#include "events.hpp"
#include "factories.hpp"
#include "planned_rows.hpp"
#include "scheduler_rows.hpp"
#include "store_context.hpp"
#include "task_rows.hpp"

#include "statements/plan.hpp"

#include <algorithm>
#include <functional>
#include <limits>

namespace disttask::storage::mysql {

namespace {

constexpr std::size_t kMaxBatchRows = 1000;
/// Commits without an answer after which a write is given up; each is followed by a look at the row.
constexpr int kMaxUnanswered = 3;

void checkBatch(const Plan& plan, const PlanBatch& batch) {
  if (!plan.step) throw Exception(ErrorCode::kPrecondition, "a batch was written before the plan had a step");
  if (batch.rows.size() > kMaxBatchRows) {
    throw Exception(
        ErrorCode::kInvalidArgument,
        "a batch of " + std::to_string(batch.rows.size()) + " subtasks; the most is " + std::to_string(kMaxBatchRows)
    );
  }
  const auto left = std::numeric_limits<std::int32_t>::max() - plan.next_ordinal;
  if (static_cast<std::int64_t>(batch.rows.size()) > left) {
    throw Exception(ErrorCode::kInvalidArgument, "a step has more subtasks than ordinals can count");
  }
}

/// PlanTable on the server; its doc comments are the contract.
class MysqlPlanTable final : public PlanTable {
 public:
  explicit MysqlPlanTable(StoreContext& context) : context_(context) {}

  std::vector<Plan> getPlansOf(const Call& call, const ExecId& exec_id) override {
    return context_.read(call, "plan.get_plans_of", [&](Connection& connection) {
      auto rows = connection.query(sql::kPlansOf, {exec_id});
      std::vector<std::pair<proto::TaskBase, Plan>> ranked;
      while (rows.next()) {
        proto::TaskBase rank;
        rank.id = TaskId(rows.getInt(1));
        rank.priority = static_cast<std::int32_t>(rows.getInt(15));
        rank.create_time = rows.getInt(16);
        ranked.emplace_back(std::move(rank), readPlan(rows));
      }
      std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return outranks(a.first, b.first); });
      std::vector<Plan> plans;
      plans.reserve(ranked.size());
      for (auto& [rank, plan] : ranked) plans.push_back(std::move(plan));
      return plans;
    });
  }

  PlanWrite setStep(const Call& call, const proto::Task& task, const Plan& plan, Step step) override {
    const bool done = step == proto::kStepDone;
    const sqlclient::Values values{
        std::int64_t{step.value()},
        std::int64_t{done},
        std::int64_t{plan.cleans_up},
        plan.task_id.value(),
        std::int64_t{plan.after_step.value()},
        plan.token.value(),
        std::int64_t{step.value()}};
    try {
      const auto is_done = [&](const Plan& now) { return now.step == step && (now.complete || !done); };
      // What the type has answered holds for the task that it was shown.
      const auto may = [&](Connection& connection) {
        const auto locked = lockAsRead(connection, task);
        const auto state = locked ? proto::parseTaskState(locked->state) : std::nullopt;
        return state && isAllowed(*state, proto::TaskEvent::kEnterStep) && locked->step == plan.after_step;
      };
      return updatePlan(call, "plan.set_step", plan, sql::kPlanStep, values, is_done, std::nullopt, {}, may);
    } catch (const Exception& e) {
      if (e.error().code() != ErrorCode::kAlreadyExists) throw;
      throw Exception(
          ErrorCode::kInvalidArgument,
          "the task type named step " + std::to_string(step.value()) + " a second time; a step is entered once per task"
      );
    }
  }

  PlanWrite writeBatch(const Call& call, const proto::Task& task, Plan& plan, const PlanBatch& batch) override {
    checkBatch(plan, batch);
    const auto next_ordinal = plan.next_ordinal + static_cast<std::int32_t>(batch.rows.size());
    for (int unanswered = 0;;) {
      try {
        bool written = context_.inTransaction(call, "plan.write_batch", [&](Connection& connection) {
          return tryBatch(connection, task, plan, batch, next_ordinal);
        });
        DISTTASK_FAILPOINT("plan.batch_committed");
        // Nothing matched: either an earlier try of this very batch is in, or somebody else plans (design rule 10).
        if (!written) written = isAt(call, plan, batch, next_ordinal);
        if (!written) return PlanWrite::kFenced;
        plan.cursor = batch.next_cursor;
        plan.next_ordinal = next_ordinal;
        plan.complete = batch.complete;
        plan.retries = 0;  // as the row's: the next error is counted from there
        return PlanWrite::kApplied;
      } catch (const Exception& e) {
        // The cursor decides: sending the batch again either moves it, or finds it moved. The task's row lock makes the
        // new try wait until the old transaction is decided.
        if (e.error().reaction() != Reaction::kReconnect || ++unanswered == kMaxUnanswered) throw;
      }
    }
  }

  PlanWrite complete(const Call& call, const Plan& plan) override {
    const sqlclient::Values values{
        plan.task_id.value(), toText(plan.kind), std::int64_t{plan.after_step.value()}, plan.token.value()};
    return updatePlan(call, "plan.complete", plan, sql::kPlanComplete, values, [](const Plan& now) {
      return now.complete;
    });
  }

  PlanWrite setError(
      const Call& call, const Plan& plan, const std::string& message, bool fatal, runtime::Duration delay
  ) override {
    const auto delay_ms = std::chrono::duration_cast<std::chrono::milliseconds>(delay).count();
    const sqlclient::Values values{
        toValidUtf8(message, proto::kMaxErrorBytes),
        std::int64_t{fatal},
        std::int64_t{std::max<std::int64_t>(delay_ms, 0)},
        plan.task_id.value(),
        toText(plan.kind),
        std::int64_t{plan.after_step.value()},
        plan.token.value(),
        std::int64_t{plan.retries}};
    const auto is_done = [&](const Plan& now) { return now.retries == plan.retries + 1 && now.failed == fatal; };
    // What a plan of a step fails with becomes the task's error; of a hook it would be known nowhere else.
    const bool is_hook = fatal && plan.kind != PlanKind::kStep;
    return updatePlan(
        call,
        "plan.set_error",
        plan,
        sql::kPlanError,
        values,
        is_done,
        std::nullopt,
        [&](auto& connection) {
          if (!is_hook) return;
          const auto reason = std::string(toText(plan.kind)) + ": " + message;
          addTaskEvent(
              connection, plan.task_id, EventActor::planner(plan.planner), {.name = "hook-failed", .reason = reason}
          );
        }
    );
  }

  PlanWrite setWait(const Call& call, const Plan& plan, const std::string& message, runtime::Duration delay) override {
    const auto delay_ms = std::chrono::duration_cast<std::chrono::milliseconds>(delay).count();
    const auto text = toValidUtf8(message, proto::kMaxErrorBytes);
    const sqlclient::Values values{
        text,
        std::int64_t{std::max<std::int64_t>(delay_ms, 0)},
        plan.task_id.value(),
        toText(plan.kind),
        std::int64_t{plan.after_step.value()},
        plan.token.value()};
    const auto is_done = [&](const Plan& now) { return now.error == text && !now.failed; };
    return updatePlan(call, "plan.set_wait", plan, sql::kPlanWait, values, is_done);
  }

  PlanWrite handOn(const Call& call, const Plan& plan, const ExecId& next_planner, const std::string& message)
      override {
    auto handed_back = plan.handed_back;
    if (std::find(handed_back.begin(), handed_back.end(), plan.planner) == handed_back.end()) {
      handed_back.push_back(plan.planner);
    }
    const auto token = proto::makeRunToken(randomToken(), false);
    const sqlclient::Values values{
        next_planner,
        token.value(),
        toJsonArray(handed_back),
        toValidUtf8(message, proto::kMaxErrorBytes),
        plan.task_id.value(),
        toText(plan.kind),
        std::int64_t{plan.after_step.value()},
        plan.token.value()};
    // The new token alone says that it was this write.
    const auto is_done = [](const Plan&) { return true; };
    return updatePlan(call, "plan.hand_on", plan, sql::kPlanHandOn, values, is_done, token);
  }

  std::vector<std::pair<std::int32_t, std::string>> getResultMetas(
      const Call& call, TaskId task_id, Step step, std::int32_t after, std::int32_t limit
  ) override {
    return context_.read(call, "plan.get_result_metas", [&](Connection& connection) {
      auto rows = connection.query(
          sql::kResultMetas,
          {proto::taskKeyOf(task_id), std::int64_t{step.value()}, std::int64_t{after}, std::int64_t{limit}}
      );
      std::vector<std::pair<std::int32_t, std::string>> metas;
      while (rows.next()) metas.emplace_back(static_cast<std::int32_t>(rows.getInt(1)), rows.getString(2));
      return metas;
    });
  }

 private:
  struct LockedTask {
    std::string state;
    Step step;
  };
  /// Holds the task's row to the end of the transaction. Nothing: it is gone, or what a modification changes is not as
  /// it was read.
  static std::optional<LockedTask> lockAsRead(Connection& connection, const proto::Task& task) {
    const sqlclient::Values as_read{task.meta, std::int64_t{task.slots}, std::int64_t{task.max_nodes}, task.id.value()};
    auto row = connection.query(sql::kPlanTaskLock, as_read);
    if (!row.next() || row.getInt(3) != 1) return std::nullopt;
    return LockedTask{row.getString(1), Step(static_cast<std::int32_t>(row.getInt(2)))};
  }

  /// One try of a batch's transaction; false: the task or the plan is not as expected, and nothing was written.
  static bool tryBatch(
      Connection& connection,
      const proto::Task& task,
      const Plan& plan,
      const PlanBatch& batch,
      std::int32_t next_ordinal
  ) {
    const auto max_bytes = statementBytes(connection, plan, batch);
    const auto locked = lockAsRead(connection, task);
    if (!locked) return false;
    const bool enters = locked->step == plan.after_step;
    const auto known = proto::parseTaskState(locked->state);
    const bool may_enter = enters && known && isAllowed(*known, proto::TaskEvent::kEnterStep);
    const bool goes_on = known == proto::TaskState::kRunning && locked->step == *plan.step;
    if (!may_enter && !goes_on) return false;
    const std::int64_t step = plan.step->value();
    const sqlclient::Values cursor{
        batch.next_cursor,
        std::int64_t{next_ordinal},
        std::int64_t{batch.complete},
        plan.task_id.value(),
        std::int64_t{plan.after_step.value()},
        plan.token.value(),
        step,
        plan.cursor,
        std::int64_t{plan.next_ordinal}};
    if (connection.update(sql::kPlanAdvance, cursor) != 1) return false;
    if (enters) {
      const std::int64_t after = plan.after_step.value();
      if (connection.update(sql::kPlanEnterStep, {step, task.id.value(), after}) != 1) {
        throw Exception(ErrorCode::kInternal, "a task row changed while it was locked");
      }
    }
    insertSubtasks(connection, task, plan, batch, max_bytes);
    if (enters) {
      const auto to = toString(targetOf(proto::TaskEvent::kEnterStep));
      const auto by = EventActor::planner(plan.planner);
      addTaskEvent(
          connection, task.id, by, proto::TaskEvent::kEnterStep, locked->state, to, "step " + std::to_string(step)
      );
    }
    DISTTASK_FAILPOINT("plan.batch_before_commit");
    return true;
  }

  /// True if the plan stands where this batch leaves it, under our token.
  bool isAt(const Call& call, const Plan& plan, const PlanBatch& batch, std::int32_t next_ordinal) {
    const auto now = readPlanNow(call, plan);
    return now && now->token == plan.token && now->step == plan.step && now->cursor == batch.next_cursor &&
           now->next_ordinal == next_ordinal && now->complete == batch.complete;
  }

  std::optional<Plan> readPlanNow(const Call& call, const Plan& plan) {
    return context_.read(call, "plan.read", [&](Connection& connection) {
      return queryPlan(connection, plan.task_id, plan.kind, plan.after_step);
    });
  }

  /// One guarded update of a plan row. When it matches nothing, or its commit was not answered, the row is read again:
  /// `is_done` says that it shows the target. Otherwise an unanswered one is sent again, and one that did not match is
  /// fenced. `new_token`: the row's token once it is updated, if that is another one; `also` writes more in its
  /// transaction; `may` begins it, and false means that nothing is written.
  template <typename F>
  PlanWrite updatePlan(
      const Call& call,
      std::string_view name,
      const Plan& plan,
      const sqlclient::Sql& statement,
      const sqlclient::Values& values,
      F is_done,
      std::optional<proto::RunToken> new_token = std::nullopt,
      const std::function<void(Connection&)>& also = {},
      const std::function<bool(Connection&)>& may = {}
  ) {
    for (int unanswered = 0;;) {
      bool answered = true;
      try {
        const auto matched = context_.inTransaction(call, name, [&](Connection& connection) -> std::int64_t {
          if (may && !may(connection)) return 0;
          const auto updated = connection.update(statement, values);
          if (updated == 1 && also) also(connection);
          DISTTASK_FAILPOINT("plan.update_before_commit");
          return updated;
        });
        DISTTASK_FAILPOINT("plan.update_committed");
        if (matched == 1) return PlanWrite::kApplied;
      } catch (const Exception& e) {
        if (e.error().reaction() != Reaction::kReconnect || ++unanswered == kMaxUnanswered) throw;
        answered = false;
      }
      const auto now = readPlanNow(call, plan);
      if (!now) return PlanWrite::kFenced;
      if (now->token == new_token.value_or(plan.token) && is_done(*now)) return PlanWrite::kApplied;
      if (answered || now->token != plan.token) return PlanWrite::kFenced;
    }
  }

  StoreContext& context_;
};

}  // namespace

std::unique_ptr<PlanTable> makePlanTable(StoreContext& context) {
  return std::make_unique<MysqlPlanTable>(context);
}

}  // namespace disttask::storage::mysql
