#pragma once
#include "disttask/observability/log_capture.hpp"
#include "disttask/planning/planning_service.hpp"
#include "disttask/storage/memory/memory_task_table.hpp"

#include "support/fake_clock.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace disttask::test {

using storage::Plan;
using storage::PlanKind;
using storage::PlanWrite;

inline constexpr proto::Step kOne{1};

/// Plans in memory, fenced as the real table fences them.
class FakePlans final : public storage::PlanTable {
 public:
  using Call = runtime::Call;
  std::vector<Plan> getPlansOf(const Call& call, const proto::ExecId& exec_id) override {
    call.check("getPlansOf");
    const std::lock_guard lock(mutex);
    std::vector<Plan> found;
    for (const auto& each : plans) {
      if (each.planner == exec_id && !each.complete && !each.failed && !held && !rests()) found.push_back(each);
    }
    return found;
  }
  PlanWrite setStep(const Call&, const proto::Task&, const Plan& plan, proto::Step step) override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr) return PlanWrite::kFenced;
    row->step = step;
    row->cleans_up = plan.cleans_up;
    row->complete = step == proto::kStepDone;
    return PlanWrite::kApplied;
  }
  PlanWrite writeBatch(const Call&, const proto::Task&, Plan& plan, const storage::PlanBatch& batch) override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr || row->cursor != plan.cursor || row->next_ordinal != plan.next_ordinal)
      return PlanWrite::kFenced;
    if (fail_batches > 0) {
      --fail_batches;
      throw Exception(ErrorCode::kStoreUnavailable, "the store is gone");
    }
    for (const auto& each : batch.rows) rows.push_back(each);
    row->cursor = batch.next_cursor;
    row->next_ordinal += static_cast<std::int32_t>(batch.rows.size());
    row->complete = batch.complete;
    row->retries = 0;
    plan.cursor = row->cursor;
    plan.next_ordinal = row->next_ordinal;
    plan.retries = 0;
    return PlanWrite::kApplied;
  }
  PlanWrite complete(const Call&, const Plan& plan) override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr) return PlanWrite::kFenced;
    row->complete = true;
    return PlanWrite::kApplied;
  }
  PlanWrite setError(const Call&, const Plan& plan, const std::string& message, bool fatal, runtime::Duration delay)
      override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr || row->retries != plan.retries) return PlanWrite::kFenced;
    delays.push_back(delay);
    if (clock != nullptr) rests_until = clock->now() + delay;
    row->error = message;
    row->failed = fatal;
    ++row->retries;
    return PlanWrite::kApplied;
  }
  PlanWrite setWait(const Call&, const Plan& plan, const std::string& message, runtime::Duration delay) override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr) return PlanWrite::kFenced;
    if (clock != nullptr) rests_until = clock->now() + delay;
    row->error = message;
    ++num_waits;
    return PlanWrite::kApplied;
  }
  PlanWrite handOn(const Call&, const Plan& plan, const proto::ExecId& next_planner, const std::string& message)
      override {
    const std::lock_guard lock(mutex);
    auto* row = fenced(plan);
    if (row == nullptr) return PlanWrite::kFenced;
    row->handed_back.push_back(row->planner);
    row->planner = next_planner;
    row->token = proto::RunToken(row->token.value() + 1);
    row->error = message;
    return PlanWrite::kApplied;
  }
  std::vector<std::pair<std::int32_t, std::string>> getResultMetas(
      const Call&, proto::TaskId, proto::Step, std::int32_t after, std::int32_t limit
  ) override {
    std::vector<std::pair<std::int32_t, std::string>> page;
    for (auto i = after + 1; i <= 1200 && static_cast<std::int32_t>(page.size()) < limit; ++i)
      page.emplace_back(i, "r");
    return page;
  }

  Plan get() {
    const std::lock_guard lock(mutex);
    return plans.front();
  }
  void change(const std::function<void(Plan&)>& change) {
    const std::lock_guard lock(mutex);
    change(plans.front());
  }
  std::string nodesOfRows() {
    const std::lock_guard lock(mutex);
    std::string text;
    for (const auto& row : rows) text += row.exec_id;
    return text;
  }
  std::size_t numRows() {
    const std::lock_guard lock(mutex);
    return rows.size();
  }

  std::mutex mutex;
  std::vector<Plan> plans;
  std::vector<storage::PlanBatch::Row> rows;
  int fail_batches = 0;
  std::atomic<int> num_waits{0};
  std::atomic<bool> held{false};
  std::vector<runtime::Duration> delays;  ///< that were asked for with each error
  runtime::Clock* clock = nullptr;        ///< by which a plan rests; nullptr: it does not

 private:
  /// Under `mutex`.
  [[nodiscard]] bool rests() const { return clock != nullptr && clock->now() < rests_until; }
  Plan* fenced(const Plan& plan) {
    for (auto& row : plans) {
      if (row.task_id == plan.task_id && row.kind == plan.kind && row.after_step == plan.after_step &&
          row.token == plan.token)
        return &row;
    }
    return nullptr;
  }

  runtime::TimePoint rests_until{};
};

class FakeNodes final : public storage::NodeTable {
 public:
  using Call = runtime::Call;
  std::optional<proto::Node> getNode(const Call&, const proto::ExecId&) override { return std::nullopt; }
  std::vector<proto::Node> getAllNodes(const Call&) override {
    const std::lock_guard lock(mutex);
    return nodes;
  }
  bool registerNode(const Call&, const proto::Node&, const std::optional<proto::Life>&) override { return false; }
  bool renew(const Call&, const proto::Node&) override { return false; }
  bool describe(const Call&, const proto::Node&) override { return false; }
  bool release(const Call&, const proto::ExecId&, proto::Life) override { return false; }
  bool evict(const Call&, const proto::ExecId&, proto::Life, std::int64_t) override { return false; }
  bool setWish(const Call&, const proto::ExecId&, const storage::NodeWish&) override { return false; }
  bool drainForStop(const Call&, const proto::ExecId&, proto::Life, std::chrono::seconds) override { return false; }
  bool forget(const Call&, const proto::ExecId&, proto::Life) override { return false; }
  void add(const std::string& exec_id) {
    proto::Node node;
    node.exec_id = exec_id;
    node.life = proto::Life(1);
    node.slots = 2;
    node.role = "disttask";
    node.has_meta_row = true;
    node.types = {{"t", "1"}};
    const std::lock_guard lock(mutex);
    nodes.push_back(node);
  }
  std::mutex mutex;
  std::vector<proto::Node> nodes;
};

/// A type that plans `num_batches` batches of two subtasks; cursors count them.
class PlannedType final : public plugin::TaskType {
 public:
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] const std::string& version() const noexcept override { return name_; }
  [[nodiscard]] const std::string& origin() const noexcept override { return name_; }
  [[nodiscard]] plugin::TaskTypeOptions options() const noexcept override { return {}; }
  void validate(const std::string&) override {
    if (on_validate) on_validate();
  }
  proto::Step nextStep(const runtime::CancelToken&, const proto::Task&, proto::Step) override {
    if (on_next_step) on_next_step();
    return next_step;
  }
  plugin::PlannedBatch
  plan(plugin::PlanContext& context, const proto::Task&, proto::Step, const std::string& cursor, const plugin::PlanLimits&)
      override {
    cursors.send(cursor);
    if (on_plan) on_plan(context);
    const int done = cursor.empty() ? 1 : std::stoi(cursor) + 1;
    return {{meta, meta}, std::to_string(done), done >= num_batches};
  }
  void revert(const runtime::CancelToken&, const proto::Task&) override {
    if (on_revert) on_revert();
    ++reverts;
  }
  [[nodiscard]] bool hasCleanUp() const noexcept override { return has_clean_up; }
  void cleanUp(const runtime::CancelToken&, const proto::Task& task) override {
    CHECK(isDone(task.state));
    ++clean_ups;
    if (on_clean_up) on_clean_up();
  }
  std::unique_ptr<plugin::StepExecutor> createStepExecutor(const proto::Task&) override { return nullptr; }
  [[nodiscard]] bool isIdempotent(const proto::Subtask&) override { return true; }
  [[nodiscard]] bool isRetryableError(const Error& error) override { return error.message() == "transient"; }

  proto::Step next_step = kOne;
  int num_batches = 3;
  std::string meta = "meta";
  std::function<void()> on_validate;
  std::function<void()> on_next_step;
  std::function<void(plugin::PlanContext&)> on_plan;
  std::function<void()> on_revert;
  TestSignal<std::string> cursors;
  std::atomic<int> reverts{0};
  std::atomic<int> clean_ups{0};
  bool has_clean_up = false;
  std::function<void()> on_clean_up;

 private:
  const std::string name_ = "t";
};

struct World {
  observability::LogCapture log;
  FakeClock clock;
  FakeTimers timers{clock};
  storage::MemoryRows rows{clock};
  storage::MemoryTaskTable tasks{rows};
  FakePlans plans;
  FakeNodes nodes;
  std::shared_ptr<PlannedType> type = std::make_shared<PlannedType>();
  plugin::TaskTypes types;
  runtime::ThreadPool ctl{"ctl", 2, 8, {}};
  runtime::ThreadPool work{"plan", 2, 0, {}};
  planning::PlanningSettings settings;
  std::atomic<int> progress{0};

  World() {
    settings.exec_id = "a";
    types.add(type);
    nodes.add("a");
    nodes.add("b");
    proto::Task task;
    task.type = "t";
    task.state = proto::TaskState::kPending;
    task.target_scope = "disttask";
    Plan plan;
    plan.task_id = rows.insertTask(task);
    plan.after_step = proto::kStepInit;
    plan.planner = "a";
    plan.token = proto::RunToken(7);
    plans.plans.push_back(plan);
  }
  std::unique_ptr<planning::PlanningService> start() {
    auto service = std::make_unique<planning::PlanningService>(
        settings, planning::PlanningParts{plans, nodes, tasks, types, clock, timers, ctl, work, [this] { ++progress; }}
    );
    service->start();
    return service;
  }
  std::vector<std::string> cursorsSeen() {
    std::vector<std::string> seen;
    while (auto cursor = type->cursors.poll()) seen.push_back(*cursor);
    return seen;
  }
  bool runUntil(const std::function<bool()>& done) {
    const runtime::Deadline deadline(runtime::systemClock(), kSoon);
    while (!deadline.isReached()) {
      clock.comeToRest();  // before each look and each step
      if (done()) return true;
      clock.advance(std::chrono::milliseconds(50));
    }
    return false;
  }
};

}  // namespace disttask::test
