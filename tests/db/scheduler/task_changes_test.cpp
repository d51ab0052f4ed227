#include "disttask/base/error.hpp"
#include "disttask/storage/poll_table.hpp"
#include "flow_cluster.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <functional>

using namespace disttask;
using namespace disttask::test;
using proto::TaskModification;
using proto::TaskState;

namespace {

std::string messageOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Exception& e) {
    return e.error().message();
  }
  return "";
}

std::string slotsOf(SchedulerFixture& fixture) {
  return fixture.text("select group_concat(concurrency order by step, ordinal) from tidb_background_subtask");
}

}  // namespace

TEST_CASE("A pausing task's pending rows are paused, in a pausing task only", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto owner = fixture.takeRole();
  const auto task = fixture.addTask("t", "running", 1);
  const auto pending = fixture.addSubtask(task.id, 1, 1, "a", "pending");
  const auto running = fixture.addSubtask(task.id, 1, 2, "a", "running", 7);
  const auto done = fixture.addSubtask(task.id, 1, 3, "a", "succeed", 7);
  CHECK(fixture.scheduler().pausePendingSubtasks(call, owner, task.id, 100) == 0);
  CHECK(fixture.store()->clientTable().pauseTask(call, task.id));
  CHECK(fixture.scheduler().pausePendingSubtasks(call, owner, task.id, 100) == 1);
  CHECK(fixture.row(pending).state == "paused");
  CHECK(fixture.row(running).state == "running");
  CHECK(fixture.row(done).state == "succeed");
}

TEST_CASE("The scheduler pauses a task when its runs have ended, and resumes it", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  fixture.addNode("a");
  const auto call = SchedulerFixture::call();
  auto& client = fixture.store()->clientTable();
  const auto task = fixture.addTask("t", "running", 1);
  fixture.addSubtask(task.id, 1, 1, "a", "pending");
  const auto running = fixture.addSubtask(task.id, 1, 2, "a", "running", 7);
  REQUIRE(client.pauseTask(call, task.id));
  LedScheduler led(fixture, "a");
  led.round();
  CHECK(fixture.task(task.id).state == TaskState::kPausing);
  fixture.store().execute("update tidb_background_subtask set state='paused' where id=" + std::to_string(running));
  led.round();
  CHECK(fixture.task(task.id).state == TaskState::kPaused);
  led.round();
  CHECK(fixture.task(task.id).state == TaskState::kPaused);
  CHECK_FALSE(client.pauseTask(call, task.id));

  CHECK(client.resumeTask(call, task.id));
  led.round();
  CHECK(fixture.task(task.id).state == TaskState::kRunning);
  for (const auto& row : fixture.rows(task.id)) CHECK(row.state == "pending");
  CHECK_FALSE(client.resumeTask(call, task.id));
}

TEST_CASE(
    "A modification reaches the task and its unfinished rows, and leaves the state as it was",
    "[db][scheduler][changes]"
) {
  SchedulerFixture fixture;
  fixture.addNode("a");
  const auto call = SchedulerFixture::call();
  const auto* state = GENERATE("running", "paused");
  const auto task = fixture.addTask("t", state, 2);
  fixture.addSubtask(task.id, 1, 1, "a", "succeed", 7);
  fixture.addSubtask(task.id, 2, 1, "a", "succeed", 7);
  fixture.addSubtask(task.id, 2, 2, "a", "running", 7);
  fixture.addSubtask(task.id, 2, 3, "a", "pending");
  fixture.addSubtask(task.id, 2, 4, "a", "paused");
  fixture.store()->clientTable().modifyTask(
      call, task.id, {.slots = 4, .max_nodes = 3, .priority = 9, .meta = R"({"job":2})"}
  );
  CHECK(fixture.task(task.id).state == TaskState::kModifying);
  LedScheduler led(fixture, "a");
  led.round();
  const auto after = fixture.task(task.id);
  CHECK(toString(after.state) == state);
  CHECK(after.slots == 4);
  CHECK(after.max_nodes == 3);
  CHECK(after.priority == 9);
  CHECK(after.meta == R"({"job":2})");
  CHECK(slotsOf(fixture) == "2,2,4,4,4");
  CHECK(fixture.text("select modify_params is null from tidb_global_task") == "1");
}

TEST_CASE(
    "A pending task that was modified is planned with the new slots and the new meta", "[db][scheduler][changes]"
) {
  Cluster cluster({"a", "b"});
  const auto task = cluster.addTask("t");
  cluster.store()->clientTable().modifyTask(
      SchedulerFixture::call(), task.id, {.slots = 3, .max_nodes = {}, .priority = {}, .meta = R"({"job":2})"}
  );
  CHECK(cluster.task(task.id).state == TaskState::kModifying);
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(task.id).size() == 8; }));
  CHECK(cluster.task(task.id).state == TaskState::kRunning);
  CHECK(cluster.task(task.id).slots == 3);
  CHECK(cluster.task(task.id).meta == R"({"job":2})");
  CHECK(slotsOf(cluster) == "3,3,3,3,3,3,3,3");
}

TEST_CASE("New slots are written in bounded batches, and by the owner only", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto former = fixture.takeRole("a");
  const auto owner = fixture.takeRole("b");
  auto& table = fixture.scheduler();
  const auto task = fixture.addTask("t", "modifying", 1);
  for (int i = 1; i <= 5; ++i) fixture.addSubtask(task.id, 1, i, "a", "pending");
  CHECK_FALSE(messageOf([&] { table.modifySubtaskSlots(call, former, task.id, 4, 0, 2); }).empty());
  CHECK(slotsOf(fixture) == "2,2,2,2,2");
  auto after = table.modifySubtaskSlots(call, owner, task.id, 4, 0, 2);
  CHECK(after == 2);
  CHECK(slotsOf(fixture) == "4,4,2,2,2");
  while (after) after = table.modifySubtaskSlots(call, owner, task.id, 4, *after, 2);
  CHECK(slotsOf(fixture) == "4,4,4,4,4");
  fixture.store().execute("update tidb_global_task set state='running'");
  CHECK_FALSE(table.modifySubtaskSlots(call, owner, task.id, 3, 0, 2));
  CHECK_FALSE(table.getModification(call, task.id));
}

TEST_CASE("Two owners that finish one modification change the task once", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto former = fixture.takeRole("a");
  const auto task = fixture.addTask("t", "running", 1);
  fixture.store()->clientTable().modifyTask(call, task.id, {.slots = 3, .max_nodes = {}, .priority = {}, .meta = {}});
  const auto params = fixture.scheduler().getModification(call, task.id).value();
  const auto owner = fixture.takeRole("b");
  const auto finish = [&](proto::Life life) {
    return fixture.scheduler().finishModification(call, life, task.id, params);
  };
  CHECK_FALSE(messageOf([&] { finish(former); }).empty());
  CHECK(fixture.task(task.id).state == TaskState::kModifying);
  CHECK(finish(owner));
  fixture.store().execute("update tidb_global_task set concurrency=1");
  CHECK_FALSE(messageOf([&] { finish(former); }).empty());
  CHECK(finish(owner));  // in the state before: done
  CHECK(fixture.task(task.id).slots == 1);
}

TEST_CASE(
    "After a modification the next step is chosen again, also where there was to be none", "[db][scheduler][changes]"
) {
  SchedulerFixture fixture;
  fixture.addNode("a");
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t", "running", 1);
  LedScheduler led(fixture, "a");
  led.round();
  const auto planOf = [&] {
    return fixture.scheduler().getPlan(call, task.id, storage::PlanKind::kStep, proto::Step(1)).value();
  };
  const auto chosen = planOf();
  const bool is_done = GENERATE(true, false);
  const auto step = is_done ? proto::kStepDone : proto::Step(2);
  REQUIRE(fixture.plans().setStep(call, task, chosen, step) == storage::PlanWrite::kApplied);
  // Before the owner has seen it.
  fixture.store()->clientTable().modifyTask(
      call, task.id, {.slots = {}, .max_nodes = {}, .priority = {}, .meta = R"({"job":2})"}
  );
  for (int i = 0; i < 3; ++i) led.round();
  const auto modified = fixture.task(task.id);
  CHECK(modified.state == TaskState::kRunning);
  CHECK(modified.meta == R"({"job":2})");
  const auto open = planOf();
  CHECK_FALSE(open.step);
  CHECK_FALSE(open.complete);
  REQUIRE(fixture.plans().getPlansOf(call, "a").size() == 1);
  // Who had read the task before changes nothing any more, not even with the new meta.
  auto late = chosen;
  late.step = proto::Step(2);
  CHECK(fixture.plans().setStep(call, modified, chosen, step) == storage::PlanWrite::kFenced);
  CHECK(fixture.plans().writeBatch(call, modified, late, makeBatch(1, 1, "", true)) == storage::PlanWrite::kFenced);
  CHECK(fixture.plans().setStep(call, modified, open, proto::Step(3)) == storage::PlanWrite::kApplied);
}

TEST_CASE(
    "A modification leaves plans that have begun or failed, and a new priority leaves all", "[db][scheduler][changes]"
) {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto owner = fixture.takeRole();
  const auto task = fixture.addTask("t");
  auto plan = makePlan(fixture, owner, task, proto::Step(1));
  TaskModification change{.slots = {}, .max_nodes = {}, .priority = {}, .meta = R"({"job":2})"};
  SECTION("it has written a batch") {
    REQUIRE(
        fixture.plans().writeBatch(call, task, plan, makeBatch(1, 2, "at 2", false)) == storage::PlanWrite::kApplied
    );
  }
  SECTION("it has failed") {
    REQUIRE(fixture.plans().setError(call, plan, "no such file", true, {}) == storage::PlanWrite::kApplied);
  }
  SECTION("a new priority") {
    change = {.slots = {}, .max_nodes = {}, .priority = 7, .meta = {}};
  }
  const auto rowOfPlan = [&] {
    return fixture.text("select concat_ws(',', step, token, `cursor`, next_ordinal, failed, error) from disttask_plan");
  };
  const auto before = rowOfPlan();
  fixture.store()->clientTable().modifyTask(call, task.id, change);
  const auto params = fixture.scheduler().getModification(call, task.id).value();
  REQUIRE(fixture.scheduler().finishModification(call, owner, task.id, params));
  CHECK(rowOfPlan() == before);
}

TEST_CASE("The event of a modification keeps what was asked for, but not the meta", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  auto& client = fixture.store()->clientTable();
  const auto task = fixture.addTask("t", "running", 1);
  client.modifyTask(call, task.id, {.slots = 4, .max_nodes = 3, .priority = 9, .meta = R"({"password":"hush"})"});
  const auto event = client.listEvents(call, task.id, 1).at(0);
  CHECK(event.event == "modify");
  CHECK(event.reason == "slots 4, max nodes 3, priority 9, meta of 19 bytes");
}

TEST_CASE("What two owners do one after the other is counted for each", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t", "reverting", 1);
  for (int i = 1; i <= 4; ++i) fixture.addSubtask(task.id, 1, i, "a", "pending");
  const auto cancelOne = [&](proto::Life owner) {
    CHECK(fixture.scheduler().cancelPendingSubtasks(call, owner, task.id, 1) == 1);
  };
  const auto first = fixture.takeRole("one");
  cancelOne(first);
  cancelOne(first);
  const auto second = fixture.takeRole("two");
  cancelOne(second);
  const auto events = fixture.store()->clientTable().listEvents(call, task.id, 10);
  REQUIRE(events.size() == 2);
  CHECK(events[0].actor + " " + std::to_string(events[0].count) == "one 2");
  CHECK(events[1].actor + " " + std::to_string(events[1].count) == "two 1");
}

TEST_CASE("Pause, resume and modify refuse other states, and say which it is", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  auto& client = fixture.store()->clientTable();
  const auto task = fixture.addTask("t", "succeed", -2);
  const auto name = "task id:" + std::to_string(task.id.value());
  const TaskModification slots{.slots = 2, .max_nodes = {}, .priority = {}, .meta = {}};
  CHECK(messageOf([&] {
          client.pauseTask(call, task.id);
        }) == name + " is succeed; only a task that is pending or running can be paused");
  CHECK(messageOf([&] {
          client.resumeTask(call, task.id);
        }) == name + " is succeed; only a task that is paused can be resumed");
  CHECK(messageOf([&] {
          client.modifyTask(call, task.id, slots);
        }) == name + " is succeed; only a task that is pending, running or paused can be modified");
  CHECK(messageOf([&] { client.pauseTask(call, proto::TaskId(999)); }) == "task id:999 does not exist");
  CHECK(messageOf([&] { client.modifyTask(call, task.id, {}); }) == "nothing to change was named");
  CHECK(messageOf([&] {
          client.modifyTask(call, task.id, {.slots = 0, .max_nodes = {}, .priority = {}, .meta = {}});
        }) == "slots must be at least 1, not 0");
  CHECK(messageOf([&] {
          client.modifyTask(call, task.id, {.slots = {}, .max_nodes = {}, .priority = {}, .meta = "{"});
        }).find("task meta is not JSON") == 0);
}

TEST_CASE("A wait for a modification ends when the owner and every live node have it", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  auto a = fixture.addNode("a");
  auto b = fixture.addNode("b");
  fixture.addNode("dead");
  fixture.store().execute("update disttask_node set life=0 where exec_id='dead'");
  const auto task = fixture.addTask("t", "running", 1);
  auto& client = fixture.store()->clientTable();
  const auto call = SchedulerFixture::call();
  const auto owner = fixture.takeRole();
  client.modifyTask(call, task.id, TaskModification{std::nullopt, std::nullopt, 7, std::nullopt});
  const auto waitFor = [&](runtime::Duration limit) {
    return messageOf([&] {
      client.waitForModification({{}, runtime::Deadline(runtime::systemClock(), limit)}, task.id);
    });
  };
  // The shortest wait looks once.
  const auto waitOnce = [&] { return waitFor(std::chrono::milliseconds(250)); };
  CHECK_THAT(waitOnce(), Catch::Contains("the owner of the scheduler role has not applied it"));
  const auto params = fixture.scheduler().getModification(call, task.id);
  REQUIRE(params);
  REQUIRE(fixture.scheduler().finishModification(call, owner, task.id, *params));
  CHECK(fixture.store()->pollTable().poll(call, "a").modifications == 1);
  CHECK_THAT(waitOnce(), Catch::EndsWith("these nodes have not applied it: a, b"));
  a.modifications = 1;
  REQUIRE(fixture.nodes().renew(call, a));
  CHECK_THAT(waitOnce(), Catch::EndsWith("these nodes have not applied it: b"));
  SECTION("the other node has it, too") {
    b.modifications = 1;
    REQUIRE(fixture.nodes().renew(call, b));
    CHECK(waitFor(kSoon).empty());
  }
  SECTION("the other node is evicted") {
    REQUIRE(fixture.nodes().evict(call, "b", b.life, 0));
    CHECK(waitFor(kSoon).empty());
  }
  SECTION("the other node began a new life") {
    REQUIRE(fixture.nodes().release(call, "b", b.life));
    fixture.addNode("b");
    CHECK_THAT(waitOnce(), Catch::EndsWith("these nodes have not applied it: b"));  // until its first poll
  }
}

TEST_CASE("A modification is counted once, however often it is finished", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  const auto task = fixture.addTask("t", "paused", 1);
  const auto call = SchedulerFixture::call();
  const auto owner = fixture.takeRole();
  fixture.store()->clientTable().modifyTask(
      call, task.id, TaskModification{3, std::nullopt, std::nullopt, std::nullopt}
  );
  const auto params = fixture.scheduler().getModification(call, task.id);
  REQUIRE(params);
  for (int i = 0; i < 2; ++i) CHECK(fixture.scheduler().finishModification(call, owner, task.id, *params));
  CHECK(fixture.text("select modifications from disttask_owner") == "1");
  CHECK(fixture.task(task.id).state == TaskState::kPaused);
}

TEST_CASE("A wait for the modification of a cancelled task says that it is gone", "[db][scheduler][changes]") {
  SchedulerFixture fixture;
  const auto task = fixture.addTask("t", "running", 1);
  const auto call = SchedulerFixture::call();
  auto& client = fixture.store()->clientTable();
  client.modifyTask(call, task.id, TaskModification{3, std::nullopt, std::nullopt, std::nullopt});
  REQUIRE(client.cancelTask(call, task.id));
  CHECK_THAT(messageOf([&] { client.waitForModification(call, task.id); }), Catch::Contains("is cancelling"));
}
