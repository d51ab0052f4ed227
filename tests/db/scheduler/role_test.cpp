#include "disttask/runtime/thread_group.hpp"
#include "scheduler_fixture.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <functional>

using namespace disttask;
using namespace disttask::test;
using proto::Life;
using proto::TaskEvent;
using proto::TaskState;

namespace {

ErrorCode codeOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.error().code();
  }
  return ErrorCode::kInternal;
}

}  // namespace

TEST_CASE("The role is taken where nobody has it, once", "[db][scheduler][role]") {
  SchedulerFixture fixture;
  fixture.addNode("a");
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto nobody = table.getOwner(call);
  REQUIRE(nobody.life == Life());

  const auto life = table.takeOwnership(call, "a", nobody);
  REQUIRE(life);
  CHECK_FALSE(table.takeOwnership(call, "b", nobody));  // observed before
  const auto owner = table.getOwner(call);
  CHECK(owner.life == *life);
  CHECK(owner.exec_id == "a");
  CHECK(owner.renewals == 0);
  CHECK(owner.term == nobody.term + 1);
  CHECK(owner.address == "127.0.0.1:1");
}

TEST_CASE("A holder that renews keeps the role", "[db][scheduler][role]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole("a");
  const auto observed = table.getOwner(call);
  REQUIRE(table.renewOwnership(call, life));
  CHECK_FALSE(table.takeOwnership(call, "b", observed));  // renewals are read again under the lock
  CHECK(table.getOwner(call).life == life);
  CHECK(table.getOwner(call).renewals == 1);

  const auto next = table.takeOwnership(call, "b", table.getOwner(call));
  REQUIRE(next);
  CHECK(*next != life);
  CHECK_FALSE(table.renewOwnership(call, life));
  CHECK_FALSE(table.releaseOwnership(call, life));
  CHECK(table.renewOwnership(call, *next));
}

TEST_CASE("A role that was given up is free", "[db][scheduler][role]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole("a");
  REQUIRE(fixture.scheduler().releaseOwnership(call, life));
  CHECK(fixture.scheduler().getOwner(call).life == Life());
  CHECK_FALSE(fixture.scheduler().renewOwnership(call, life));
  CHECK(fixture.takeRole("b") != Life());
}

TEST_CASE("Of many that take the role at once one gets it", "[db][scheduler][role]") {
  SchedulerFixture fixture;
  const auto observed = fixture.scheduler().getOwner(SchedulerFixture::call());
  std::atomic<int> winners{0};
  {
    runtime::ThreadGroup threads;
    for (int i = 0; i < 8; ++i) {
      threads.spawn("taker", [&, i] {
        const auto id = "node-" + std::to_string(i);
        if (fixture.scheduler().takeOwnership(SchedulerFixture::call(), id, observed)) ++winners;
      });
    }
  }
  CHECK(winners == 1);
}

TEST_CASE("An owner of the past writes nothing", "[db][scheduler][role]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  fixture.addNode("a");
  const auto running = fixture.addTask("running", "running", 1);
  const auto reverting = fixture.addTask("reverting", "reverting", 1);
  const proto::SubtaskId pending(fixture.addSubtask(running.id, 1, 1, "a", "pending"));
  fixture.addSubtask(running.id, 1, 2, "gone", "running", 3);
  fixture.addSubtask(reverting.id, 1, 1, "a", "pending");
  const auto pausing = fixture.addTask("pausing", "pausing", 1);
  fixture.addSubtask(pausing.id, 1, 1, "a", "pending");
  const auto modifying = fixture.addTask("modifying", "modifying", 1);
  fixture.addSubtask(modifying.id, 1, 1, "a", "pending");

  const auto old = fixture.takeRole("a");
  const auto plan = makePlan(fixture, old, running, std::nullopt);
  REQUIRE(table.takeOwnership(call, "b", table.getOwner(call)));

  const auto everything = [&] {
    return fixture.text(
               "select group_concat(concat_ws(',', id, state, step, concurrency, error) order by id) from "
               "tidb_global_task"
           ) +
           " | " +
           fixture.text(
               "select group_concat(concat_ws(',', id, state, exec_id, concurrency, error) order by id) from "
               "tidb_background_subtask"
           ) +
           " | " +
           fixture.text("select group_concat(concat_ws(',', task_id, kind, planner, token)) from disttask_plan") +
           " | " + fixture.text("select count(*) from disttask_attempt") + " | " +
           fixture.text("select count(*) from disttask_event") + " | " + fixture.text("select seq from disttask_owner");
  };
  const auto before = everything();
  storage::Plan other;
  other.task_id = reverting.id;
  other.kind = storage::PlanKind::kRevert;
  other.planner = "a";
  const std::vector<std::function<void()>> writes{
      [&] { table.createPlan(call, old, other); },
      [&] { table.assignPlan(call, old, plan, "b"); },
      [&] {
        table.changeTask(call, old, running.id, {TaskState::kRunning, TaskEvent::kRevert, "text"});
      },
      [&] {
        table.changeTask(call, old, running.id, {TaskState::kRunning, TaskEvent::kSucceed});
      },
      [&] { table.cancelPendingSubtasks(call, old, reverting.id, 100); },
      [&] { table.pausePendingSubtasks(call, old, pausing.id, 100); },
      [&] { table.modifySubtaskSlots(call, old, modifying.id, 4, 0, 100); },
      [&] {
        table.finishModification(
            call, old, modifying.id, {TaskState::kRunning, {.slots = 4, .max_nodes = {}, .priority = {}, .meta = {}}}
        );
      },
      [&] { table.resumePausedSubtasks(call, old, running.id, TaskState::kRunning, 100); },
      [&] { table.releaseRowsOfDeadNode(call, old, "gone", 3, 100); },
      [&] { table.failPendingSubtask(call, old, pending, "text"); },
      [&] {
        table.movePendingSubtasks(call, old, {{pending, "a", "b"}});
      },
  };
  for (const auto& write : writes) CHECK(codeOf(write) == ErrorCode::kLost);
  CHECK(everything() == before);
}

TEST_CASE("Task states change by compare-and-set, and doing it twice is the same as once", "[db][scheduler][role]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto id = fixture.addTask("t", "running", 1).id;

  CHECK_FALSE(table.changeTask(call, life, id, {TaskState::kCancelling, TaskEvent::kRevert, "no"}));
  CHECK(table.changeTask(call, life, id, {TaskState::kRunning, TaskEvent::kRevert, "line 7 is bad"}));
  CHECK(table.changeTask(call, life, id, {TaskState::kRunning, TaskEvent::kRevert, "line 7 is bad"}));
  auto task = fixture.task(id);
  CHECK(task.state == TaskState::kReverting);
  CHECK(task.error == "line 7 is bad");
  CHECK(task.end_time == 0);
  CHECK_FALSE(table.changeTask(call, life, id, {TaskState::kRunning, TaskEvent::kSucceed}));

  CHECK(table.changeTask(call, life, id, {TaskState::kReverting, TaskEvent::kReverted}));
  task = fixture.task(id);
  CHECK(task.state == TaskState::kReverted);
  CHECK(task.error == "line 7 is bad");
  CHECK(task.step == proto::Step(1));
  CHECK(task.end_time > 0);

  const auto good = fixture.addTask("good", "running", 1).id;
  CHECK(table.changeTask(call, life, good, {TaskState::kRunning, TaskEvent::kSucceed}));
  CHECK(table.changeTask(call, life, good, {TaskState::kRunning, TaskEvent::kSucceed}));
  CHECK(fixture.task(good).step == proto::kStepDone);
  CHECK(fixture.task(good).end_time > 0);
}

TEST_CASE("Unfinished tasks come in rank order, of those that are pending the first ones", "[db][scheduler][role]") {
  SchedulerFixture fixture;
  const auto life = fixture.takeRole();
  fixture.addNode("a");
  for (const auto* state :
       {"pending",
        "running",
        "succeed",
        "reverted",
        "failed",
        "paused",
        "awaiting-resolution",
        "cancelling",
        "pausing"}) {
    fixture.addTask(state, state);
  }
  fixture.store().execute("update tidb_global_task set priority=1 where task_key='cancelling'");
  const auto late = fixture.addTask("late").id;
  fixture.addTask("later");
  fixture.store().execute("update tidb_global_task set priority=2000 where task_key='later'");
  using Keys = std::vector<std::string>;
  const auto keys = [](const std::vector<proto::TaskBase>& tasks) {
    Keys names;
    for (const auto& task : tasks) names.push_back(task.key);
    return names;
  };
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto all = table.getUnfinishedTasks(call, 100);
  CHECK(keys(all) == Keys{"cancelling", "pending", "running", "pausing", "late", "later"});
  CHECK(keys(table.getUnfinishedTasks(call, 2)) == Keys{"cancelling", "pending", "running", "pausing", "late"});
  // One that is being planned comes too, once.
  storage::Plan plan;
  plan.planner = "a";
  for (const auto* key : {"pending", "later"}) {
    const auto task = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.key == key; });
    plan.task_id = task->id;
    plan.after_step = task->step;
    table.createPlan(call, life, plan);
  }
  CHECK(
      keys(table.getUnfinishedTasks(call, 2)) == Keys{"cancelling", "pending", "running", "pausing", "late", "later"}
  );
  CHECK(keys(table.getPendingTasksBehind(call, all[1].id, 5)) == Keys{"late", "later"});
  CHECK(keys(table.getPendingTasksBehind(call, all[1].id, 1)) == Keys{"late"});
  CHECK(keys(table.getPendingTasksBehind(call, late, 5)) == Keys{"later"});
  CHECK(table.getPendingTasksBehind(call, proto::TaskId(987654), 5).empty());
}

TEST_CASE("What is read of many tasks at once is what is read of each", "[db][scheduler][role]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  fixture.addNode("a");
  const char* const states[] = {"pending", "running", "paused", "failed", "canceled", "succeed"};
  std::vector<proto::TaskId> ids;
  for (int i = 0; i < 40; ++i) {  // more than fit into one statement
    const auto id =
        fixture.addTask("t" + std::to_string(i), i % 7 == 0 ? "pending" : "running", i % 7 == 0 ? -1 : 1).id;
    ids.push_back(id);
    storage::Plan plan;
    plan.task_id = id;
    plan.planner = "a";
    plan.after_step = proto::Step(i % 7 == 0 ? -1 : 1);
    if (i % 3 == 0) table.createPlan(call, life, plan);
    for (int row = 0; i % 7 != 0 && row < 6; ++row) {
      if ((i >> (row % 5)) % 2 == 0) fixture.addSubtask(id, 1, row + 1, "a", states[row]);
    }
  }
  const auto row = fixture.addSubtask(ids[1], 1, 9, "a", "pending");
  fixture.store().execute(
      "insert into disttask_attempt (subtask_id, task_id, handed_back) values (" + std::to_string(row) + ", " +
      std::to_string(ids[1].value()) + ", '[\"a\"]')"
  );
  const auto tasks = table.getUnfinishedTasks(call, 100);
  REQUIRE(tasks.size() == 40);
  const auto looks = table.lookAtTasks(call, tasks);
  for (const auto& task : tasks) {
    INFO(task.key);
    const auto& look = looks.at(task.id);
    const auto plans = table.getPlans(call, task.id);
    REQUIRE(look.plans.size() == plans.size());
    if (!plans.empty()) CHECK(look.plans[0].token == plans[0].token);
    if (task.step == proto::kStepInit) continue;
    const auto rows = table.probeSubtasks(call, task.id, task.step);
    const auto all = [](const storage::SubtaskPresence& seen) {
      return std::vector<bool>{seen.pending, seen.running, seen.paused, seen.failed};
    };
    CHECK(all(look.rows) == all(rows));
    CHECK(look.may_have_handed_back == (task.id == ids[1]));
  }
}
