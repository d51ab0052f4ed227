#include "scheduler_fixture.hpp"

#include "disttask/base/random.hpp"

#include <catch2/catch.hpp>

namespace disttask::test {

runtime::Call SchedulerFixture::call() {
  return {{}, runtime::Deadline(runtime::systemClock(), std::chrono::seconds(20))};
}

proto::Node SchedulerFixture::addNode(const std::string& exec_id) {
  const auto before = nodes().getNode(call(), exec_id);
  proto::Node node;
  node.exec_id = exec_id;
  node.life = proto::Life(randomToken());
  node.instance_uuid = "uuid-" + exec_id;
  node.types = {{"demo", "1"}};
  node.role = "disttask";
  node.slots = 4;
  node.address = "127.0.0.1:1";
  REQUIRE(nodes().registerNode(call(), node, before ? std::optional(before->life) : std::nullopt));
  nodes_[exec_id] = node;
  return node;
}

void SchedulerFixture::renew(const std::string& exec_id) {
  nodes().renew(call(), nodes_.at(exec_id));
}

proto::Task SchedulerFixture::addTask(const std::string& key, const std::string& state, int step) {
  store_.execute(
      "insert into tidb_global_task (task_key, type, state, priority, create_time, meta, concurrency, step, "
      "target_scope, max_node_count, "
      "extra_params) values ('" +
      key + "', 'demo', '" + state + "', 512, now(), '{\"job\":1}', 2, " + std::to_string(step) +
      ", 'disttask', 0, '{}')"
  );
  return task(proto::TaskId(std::stoll(text("select id from tidb_global_task where task_key='" + key + "'"))));
}

proto::Task SchedulerFixture::task(proto::TaskId id) {
  return store_->taskTable().getTaskById(call(), id).value();
}

std::int64_t SchedulerFixture::addSubtask(
    proto::TaskId task, int step, int ordinal, const std::string& exec_id, const std::string& state, std::int64_t token
) {
  store_.execute(
      "insert into tidb_background_subtask (step, task_key, ddl_physical_tid, type, exec_id, state, checkpoint, "
      "concurrency, create_time, "
      "meta, ordinal, summary) values (" +
      std::to_string(step) + ", '" + std::to_string(task.value()) + "', " +
      (token == 0 ? "null" : std::to_string(token)) + ", 0, '" + exec_id + "', '" + state +
      "', '{}', 2, now(), '{}', " + std::to_string(ordinal) + ", '{}')"
  );
  return std::stoll(text("select max(id) from tidb_background_subtask"));
}

std::vector<Row> SchedulerFixture::rows(proto::TaskId task) {
  const auto connection = store_.connect();
  auto found = connection->queryDynamic(
      "test.rows",
      "select id, step, ordinal, exec_id, state, error, end_time is not null from tidb_background_subtask where "
      "task_key=? "
      "order by step, ordinal",
      {proto::taskKeyOf(task)}
  );
  std::vector<Row> rows;
  while (found.next()) {
    rows.push_back(
        {found.getInt(1),
         found.getInt(2),
         found.getInt(3),
         found.getString(4),
         found.getString(5),
         found.getString(6),
         found.getInt(7) != 0}
    );
  }
  return rows;
}

Row SchedulerFixture::row(std::int64_t id) {
  const auto key = text("select task_key from tidb_background_subtask where id=" + std::to_string(id));
  for (const auto& row : rows(proto::TaskId(std::stoll(key)))) {
    if (row.id == id) return row;
  }
  return {};
}

std::string SchedulerFixture::attempt(std::int64_t subtask_id) {
  return text(
      "select concat(abnormal_ends, '/', ends_alone, '/', last_token) from disttask_attempt where subtask_id=" +
      std::to_string(subtask_id)
  );
}

proto::Life SchedulerFixture::takeRole(const std::string& exec_id) {
  return scheduler().takeOwnership(call(), exec_id, scheduler().getOwner(call())).value();
}

storage::Plan makePlan(
    SchedulerFixture& fixture,
    proto::Life owner,
    const proto::Task& task,
    std::optional<proto::Step> step,
    const std::string& planner
) {
  storage::Plan plan;
  plan.task_id = task.id;
  plan.after_step = task.step;
  plan.planner = planner;
  const auto call = SchedulerFixture::call();
  fixture.scheduler().createPlan(call, owner, plan);
  plan = fixture.scheduler().getPlan(call, task.id, storage::PlanKind::kStep, task.step).value();
  if (step) {
    REQUIRE(fixture.plans().setStep(call, task, plan, *step) == storage::PlanWrite::kApplied);
    plan.step = step;
  }
  return plan;
}

storage::PlanBatch makeBatch(
    int first, int count, const std::string& next_cursor, bool complete, const std::vector<std::string>& nodes
) {
  storage::PlanBatch batch;
  for (int i = 0; i < count; ++i) {
    batch.rows.push_back(
        {"{\"n\":" + std::to_string(first + i) + "}", nodes[static_cast<std::size_t>(i) % nodes.size()]}
    );
  }
  batch.next_cursor = next_cursor;
  batch.complete = complete;
  return batch;
}

LedScheduler::LedScheduler(SchedulerFixture& fixture, const std::string& exec_id, scheduler::SchedulerSettings settings)
    : LedScheduler(fixture.store().store(), exec_id, settings) {}

LedScheduler::LedScheduler(
    storage::mysql::Store& store, const std::string& exec_id, scheduler::SchedulerSettings settings
) {
  service_ = std::make_unique<scheduler::SchedulerService>(
      scheduler::SchedulerDeps{
          store.nodeTable(),
          store.schedulerTable(),
          clock,
          timers_,
          pool_,
          exec_id,
          [this] { return renews ? std::optional(clock.now()) : std::nullopt; },
          [this](const auto& nodes) { nudges.push_back(nodes); }},
      settings
  );
}

void LedScheduler::round() {
  clock.advance(service_->runRoundForTest());
}

}  // namespace disttask::test
