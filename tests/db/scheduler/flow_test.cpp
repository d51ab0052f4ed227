#include "disttask/base/failpoint.hpp"
#include "disttask/observability/log_capture.hpp"
#include "flow_cluster.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;
using proto::Step;
using proto::TaskState;
using storage::PlanKind;

namespace {

using Counts = std::map<std::string, int>;

}  // namespace

TEST_CASE("A task goes through its steps and succeeds", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.task(id).step == Step(1); }));
  CHECK(cluster.task(id).state == TaskState::kRunning);
  CHECK(cluster.owner.service().isOwner());
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  cluster.run("a");
  for (int i = 0; i < 5; ++i) cluster.turn();
  CHECK(cluster.task(id).step == Step(1));  // b has rows left
  cluster.run("b");
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 16; }));
  CHECK(cluster.task(id).step == Step(2));
  cluster.run("a");
  cluster.run("b");
  REQUIRE(cluster.turnUntil(id, TaskState::kSucceed));
  const auto task = cluster.task(id);
  CHECK(task.step == proto::kStepDone);
  CHECK(task.error.empty());
  CHECK(cluster.reverts.empty());
  CHECK(cluster.text("select count(*) from disttask_plan where complete=1") == "3");
  CHECK(std::count(cluster.owner.nudges.begin(), cluster.owner.nudges.end(), std::vector<std::string>{"a"}) > 0);
}

TEST_CASE("A step does not end while its plan goes on", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 4; }));
  cluster.plans_go_on = false;
  cluster.run("a");
  for (int i = 0; i < 10; ++i) cluster.turn();
  CHECK(cluster.task(id).step == Step(1));
  CHECK(cluster.text("select count(*) from disttask_plan") == "1");
  cluster.plans_go_on = true;
  REQUIRE(cluster.turnUntil([&] { return cluster.run("a") > 0; }));
  CHECK(cluster.turnUntil([&] { return cluster.task(id).step == Step(2); }));
}

TEST_CASE("A failed subtask reverts its task with its error", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  cluster.begin("b", 1);
  cluster.run("a", "failed", 1);
  REQUIRE(cluster.turnUntil(id, TaskState::kReverting));
  for (int i = 0; i < 5; ++i) cluster.turn();
  CHECK(cluster.reverts.empty());  // one still runs
  CHECK(cluster.countBy(id, "canceled") == Counts{{"a", 3}, {"b", 3}});
  cluster.store().execute("update tidb_background_subtask set state='canceled' where state='running'");
  REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
  CHECK(cluster.task(id).error == "line 7");
  CHECK(cluster.task(id).step == Step(1));
  CHECK(cluster.reverts == std::vector<std::string>{"0"});  // once, when nothing was active
}

TEST_CASE("A subtask that was canceled, without an error, reverts its task too", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  cluster.run("a", "canceled", 1);
  REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
  CHECK(cluster.task(id).error == "a subtask of step 1 ended without success");
  CHECK(cluster.countBy(id, "canceled") == Counts{{"a", 8}});
}

TEST_CASE("A cancelled task reverts, from each unfinished state", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  SECTION("before it was planned") {}
  SECTION("while it is planned") {
    REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 4; }));
  }
  SECTION("while it runs") {
    REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  }
  std::string ended = "0";
  SECTION("after its first subtask has ended") {
    REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
    cluster.run("a", "succeed", 1);
    ended = "1";
  }
  const bool has_entered = !cluster.rows(id).empty();
  cluster.store().execute("update tidb_global_task set state='cancelling'");
  REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
  CHECK(cluster.task(id).error == "cancelled by user");
  CHECK(cluster.reverts.size() == (has_entered ? 1 : 0));
  CHECK(cluster.text("select count(*) from tidb_background_subtask where state<>'canceled'") == ended);
}

TEST_CASE("A failed plan reverts its task", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  cluster.plans_go_on = false;
  REQUIRE(cluster.turnUntil([&] { return !cluster.plans().getPlansOf(Cluster::call(), "a").empty(); }));
  const auto plan = cluster.plans().getPlansOf(Cluster::call(), "a")[0];
  REQUIRE(
      cluster.plans().setError(Cluster::call(), plan, "no such file: /x", true, {}) == storage::PlanWrite::kApplied
  );
  REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
  CHECK(cluster.task(id).error == "no such file: /x");
}

TEST_CASE("A task without steps succeeds", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  cluster.plans_go_on = false;
  REQUIRE(cluster.turnUntil([&] { return !cluster.plans().getPlansOf(Cluster::call(), "a").empty(); }));
  const auto plan = cluster.plans().getPlansOf(Cluster::call(), "a")[0];
  REQUIRE(
      cluster.plans().setStep(Cluster::call(), cluster.task(id), plan, proto::kStepDone) == storage::PlanWrite::kApplied
  );
  REQUIRE(cluster.turnUntil(id, TaskState::kSucceed));
  CHECK(cluster.task(id).start_time > 0);
}

TEST_CASE("The rows of a dead node move to live ones and finish there", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b", "c"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  const auto of_b = cluster.countBy(id, "pending")["b"];
  REQUIRE(of_b >= 2);
  cluster.begin("b", 1);
  std::erase(cluster.alive, "b");
  const auto died = cluster.owner.clock.now();
  REQUIRE(cluster.turnUntil(
      [&] { return cluster.countBy(id, "pending")["b"] + cluster.countBy(id, "running")["b"] == 0; }, 200
  ));
  CHECK(cluster.owner.clock.now() - died >= 30s);
  CHECK(cluster.owner.clock.now() - died <= 40s);
  CHECK(cluster.nodes().getNode(Cluster::call(), "b")->life == proto::Life());
  CHECK(cluster.nodes().getNode(Cluster::call(), "a")->life != proto::Life());
  const auto now = cluster.countBy(id, "pending");
  CHECK(now.at("a") == 4);
  CHECK(now.at("c") == 4);
  CHECK(cluster.text("select count(*) from disttask_attempt where abnormal_ends=1") == "1");

  REQUIRE(cluster.turnUntil([&] {
    cluster.run("a");
    cluster.run("c");
    return cluster.task(id).state == TaskState::kSucceed;
  }));
}

TEST_CASE("The role that somebody writes into a node's row is obeyed while the node runs", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  REQUIRE(cluster.countBy(id, "pending")["b"] == 4);
  cluster.begin("b", 1);
  cluster.store().execute("update dist_framework_meta set role='elsewhere' where host='b'");
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"a", 7}}; }));
  CHECK(cluster.countBy(id, "running") == Counts{{"b", 1}});  // what runs is left alone
  cluster.store().execute("update tidb_background_subtask set state='succeed' where state='running'");
  cluster.store().execute("update dist_framework_meta set role='disttask' where host='b'");
  CHECK(cluster.turnUntil([&] { return cluster.countBy(id, "pending")["b"] > 0; }));
}

TEST_CASE("An eviction that a former owner left half done is finished", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  const auto dead = cluster.addNode("dead");
  const auto id = cluster.addTask("t", "running", 1).id;
  const auto subtask = cluster.addSubtask(id, 1, 1, "dead", "running", 77);
  REQUIRE(cluster.nodes().evict(Cluster::call(), "dead", dead.life, 0));
  cluster.plans_go_on = false;
  cluster.turn();
  CHECK(cluster.row(subtask).state == "pending");
  CHECK(cluster.row(subtask).exec_id == "a");
}

TEST_CASE("Rows wait when no node is left, and go on when one comes", "[db][scheduler][flow]") {
  observability::LogCapture log;
  Cluster cluster({});
  const auto id = cluster.addTask("t", "running", 1).id;
  const auto subtask = cluster.addSubtask(id, 1, 1, "gone", "pending");
  for (int i = 0; i < 10; ++i) cluster.turn();
  CHECK(cluster.row(subtask).exec_id == "gone");
  CHECK(cluster.row(subtask).state == "pending");
  CHECK(log.count("pending subtasks wait for a node") == 1);
  cluster.addNode("new");
  cluster.turn();
  CHECK(cluster.row(subtask).exec_id == "new");
}

TEST_CASE("Draining empties pending rows, cordoning leaves them", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  cluster.begin("a", 1);
  cluster.begin("b", 1);
  cluster.store().execute("update disttask_node set wanted='cordoned' where exec_id='a'");
  for (int i = 0; i < 3; ++i) cluster.turn();
  CHECK(cluster.countBy(id, "pending") == Counts{{"a", 3}, {"b", 3}});
  cluster.store().execute("update disttask_node set wanted='draining' where exec_id='a'");
  for (int i = 0; i < 3; ++i) cluster.turn();
  CHECK(cluster.countBy(id, "pending") == Counts{{"b", 6}});
  CHECK(cluster.countBy(id, "running") == Counts{{"a", 1}, {"b", 1}});
}

TEST_CASE("Rows that came to one node only are shared evenly, and again when one ran dry", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  cluster.rows_per_step = 16;
  cluster.placed_on = {"a"};
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"a", 8}, {"b", 8}}; }));
  CHECK(cluster.owner.service().balance().moved == 8);
  REQUIRE(cluster.turnUntil([&] { return cluster.owner.service().balance().skew == 0; }));
  for (int i = 0; i < 5; ++i) cluster.turn();
  CHECK(cluster.owner.service().balance().moved == 8);
  cluster.run("b");
  cluster.owner.service().nudge();
  cluster.turn();
  CHECK(cluster.countBy(id, "pending") == Counts{{"a", 4}, {"b", 4}});
  CHECK(cluster.owner.service().balance().skew == 4);  // as it was found
  CHECK(cluster.owner.service().balance().task == id);
  std::set<std::int64_t> of_a;
  for (const auto& row : cluster.rows(id)) {
    if (row.state == "pending" && row.exec_id == "a") of_a.insert(row.ordinal);
  }
  CHECK(*of_a.rbegin() <= 8);  // the last ones went: a comes to them last
}

TEST_CASE("A subtask that its node hands back goes to one that has not", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b", "c"});
  cluster.rows_per_step = 24;
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 24; }));
  cluster.run("a");
  cluster.run("c");
  const auto of_b = cluster.countBy(id, "pending")["b"];
  REQUIRE(of_b > 0);
  SECTION("another node takes it") {
    cluster.handBack("b", {"b"});
    cluster.turn();
    CHECK(cluster.countBy(id, "pending")["b"] == 0);
    CHECK(cluster.countBy(id, "pending")["a"] + cluster.countBy(id, "pending")["c"] == of_b);
  }
  SECTION("and the first one does not get it back when its task was paused meanwhile") {
    cluster.handBack("b", {"b"});
    cluster.turn();
    const auto moved = cluster.owner.service().balance().moved;
    const std::string where = " where id=" + std::to_string(id.value());
    cluster.store().execute("update tidb_global_task set state='pausing'" + where);
    REQUIRE(cluster.turnUntil(id, TaskState::kPaused));
    cluster.store().execute("update tidb_global_task set state='resuming'" + where);
    REQUIRE(cluster.turnUntil(id, TaskState::kRunning));
    for (int i = 0; i < 5; ++i) cluster.turn();
    CHECK(cluster.owner.service().balance().moved == moved);
    CHECK(cluster.countBy(id, "pending")["b"] == 0);
    CHECK(cluster.countBy(id, "pending")["a"] + cluster.countBy(id, "pending")["c"] == of_b);
  }
  SECTION("the one that is left takes it") {
    cluster.handBack("b", {"a", "b"});
    cluster.turn();
    CHECK(cluster.countBy(id, "pending") == Counts{{"c", of_b}});
  }
  SECTION("none is left: the task fails with what the last one said") {
    cluster.handBack("b", {"a", "c", "b"});
    REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
    CHECK(cluster.task(id).error == "no node could run it: no such file");
  }
}

TEST_CASE("The plan of a dead planner goes on elsewhere from its cursor", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 4; }));
  REQUIRE(cluster.planners == std::set<std::string>{"a"});
  cluster.nodes().release(Cluster::call(), "a", cluster.nodes().getNode(Cluster::call(), "a")->life);
  std::erase(cluster.alive, "a");
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  CHECK(cluster.planners == std::set<std::string>{"a", "b"});
  CHECK(cluster.text("select max(ordinal) from tidb_background_subtask") == "8");
}

TEST_CASE("Tasks that wait for a type take no place, others beyond the limit wait", "[db][scheduler][flow]") {
  observability::LogCapture log;
  scheduler::SchedulerSettings settings;
  settings.max_tasks_at_once = 1;
  Cluster cluster({"a"}, settings);
  const auto other = cluster.addTask("other").id;
  cluster.store().execute("update tidb_global_task set type='other', priority=1");
  const auto first = cluster.addTask("first").id;
  const auto second = cluster.addTask("second").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(first).size() == 8; }));
  for (int i = 0; i < 5; ++i) cluster.turn();
  CHECK(cluster.task(other).state == TaskState::kPending);
  CHECK(cluster.task(second).state == TaskState::kPending);
  CHECK(cluster.text("select count(*) from disttask_plan where task_id=" + std::to_string(second.value())) == "0");
  const auto waits = log.records("task waits");
  REQUIRE(waits.size() == 2);  // each once
  CHECK(waits[0].value("reason") == "no live node offers type 'other'");
  CHECK(waits[1].value("reason") == "the tasks at once are all of higher rank");

  cluster.store().execute("update tidb_global_task set state='cancelling' where task_key='second'");
  CHECK(cluster.turnUntil(second, TaskState::kReverted));  // cancelling needs no place
  REQUIRE(cluster.turnUntil([&] {
    cluster.run("a");
    return cluster.task(first).state == TaskState::kSucceed;
  }));
}

TEST_CASE(
    "However many tasks of higher rank wait for a type, those behind them have their turn", "[db][scheduler][flow]"
) {
  observability::LogCapture log;
  scheduler::SchedulerSettings settings;
  settings.max_pending_looked = 2;
  settings.max_tasks_at_once = 1;
  Cluster cluster({"a"}, settings);
  for (const auto* key : {"w1", "w2", "w3", "w4", "w5"}) cluster.addTask(key);
  cluster.store().execute("update tidb_global_task set type='other', priority=1");
  const auto runs = cluster.addTask("runs").id;
  const auto behind = cluster.addTask("behind").id;
  const auto cancelled = cluster.addTask("cancelled").id;
  cluster.store().execute("update tidb_global_task set state='cancelling' where task_key='cancelled'");
  CHECK(cluster.turnUntil(cancelled, TaskState::kReverted));
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(runs).size() == 8; }));
  for (int i = 0; i < 10; ++i) cluster.turn();
  CHECK(cluster.rows(behind).empty());  // the one place is taken, wherever in the order its task is
  // Of the first ones only, and once.
  const auto waits = log.records("task waits");
  REQUIRE(waits.size() == 2);
  CHECK(waits[0].value("task_key") == "w1");
  CHECK(waits[1].value("task_key") == "w2");
  REQUIRE(cluster.turnUntil([&] {
    cluster.run("a");
    return cluster.task(behind).state == TaskState::kSucceed;
  }));
}

TEST_CASE(
    "Behind tasks that wait for a type no more begin than may be at once, those of highest rank first",
    "[db][scheduler][flow]"
) {
  scheduler::SchedulerSettings settings;
  settings.max_pending_looked = 2;
  settings.max_tasks_at_once = 1;
  Cluster cluster({"a"}, settings);
  for (const auto* key : {"w1", "w2", "w3"}) cluster.addTask(key);
  cluster.store().execute("update tidb_global_task set type='other', priority=1");
  std::vector<proto::TaskId> ids;
  for (const auto* key : {"r1", "r2", "r3", "r4", "r5", "r6"}) ids.push_back(cluster.addTask(key).id);
  const auto planned = [&] {
    return cluster.text("select group_concat(distinct task_id order by task_id) from disttask_plan");
  };
  // Its planner takes its time: it stays pending.
  cluster.plans_go_on = false;
  for (int i = 0; i < 10; ++i) cluster.turn();
  REQUIRE(cluster.task(ids[0]).state == TaskState::kPending);
  CHECK(planned() == std::to_string(ids[0].value()));
  cluster.plans_go_on = true;
  REQUIRE(cluster.turnUntil([&] {
    if (!cluster.rows(ids[0]).empty() && cluster.rows(ids[1]).empty()) cluster.run("a");
    return !cluster.rows(ids[1]).empty();
  }));
  CHECK(cluster.task(ids[0]).state == TaskState::kSucceed);
  CHECK(planned() == std::to_string(ids[0].value()) + "," + std::to_string(ids[1].value()));
}

TEST_CASE("One task's error does not stop the others", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  cluster.addTask("bad");
  const auto good = cluster.addTask("good").id;
  int passes = 0;
  Failpoints::arm("scheduler.task", [&] {
    if (passes++ % 2 == 0) throw Exception(ErrorCode::kInternal, "broken");  // the first of two in each round
  });
  const auto planned = cluster.turnUntil([&] { return cluster.rows(good).size() == 8; });
  Failpoints::disarm("scheduler.task");
  CHECK(planned);
}

TEST_CASE("Another node takes the role when its holder stops renewing", "[db][scheduler][flow]") {
  SchedulerFixture fixture;
  LedScheduler first(fixture, "a");
  LedScheduler second(fixture, "b");
  first.round();
  REQUIRE(first.service().isOwner());
  const auto followFor = [&](runtime::Duration time, bool first_lives) {
    const auto end = second.clock.now() + time;
    while (second.clock.now() < end && !second.service().isOwner()) {
      if (first_lives) first.round();
      second.round();
    }
  };

  SECTION("not while it renews") {
    // The first one's rounds are shorter, so it renews less often than the second one's time would ask.
    const auto end = second.clock.now() + 90s;
    while (second.clock.now() < end) {
      while (first.clock.now() < second.clock.now()) first.round();
      second.round();
      REQUIRE_FALSE(second.service().isOwner());
    }
    CHECK(first.service().isOwner());
  }
  SECTION("after the lease and a second") {
    const auto begin = second.clock.now();
    followFor(60s, false);
    REQUIRE(second.service().isOwner());
    CHECK(second.clock.now() - begin >= 31s);
    CHECK(second.clock.now() - begin <= 33s);  // with the pause of 2 s after the round that took it
    first.clock.advance(25s);
    CHECK_FALSE(first.service().isOwner());  // by its own clock, before it has seen the new owner
    first.round();
    CHECK_FALSE(first.service().isOwner());
  }
  SECTION("not while its own writes are not confirmed") {
    second.renews = false;
    followFor(120s, false);
    CHECK_FALSE(second.service().isOwner());
  }
  SECTION("at once when it is given up") {
    fixture.addNode("b");
    first.round();
    first.nudges.clear();
    first.service().stop();
    CHECK(first.nudges == std::vector<std::vector<std::string>>{{"b"}});
    CHECK_FALSE(first.service().isOwner());
    second.round();
    CHECK(second.service().isOwner());
  }
  SECTION("at once by the next process of the same node, when it lives") {
    LedScheduler next(fixture, "a");
    next.renews = false;
    next.round();
    CHECK_FALSE(next.service().isOwner());  // somebody else may live under this id
    next.renews = true;
    next.round();
    CHECK(next.service().isOwner());
    first.clock.advance(12s);
    first.round();
    CHECK_FALSE(first.service().isOwner());
  }
}

TEST_CASE(
    "A role that was given up is taken within three seconds also when the hint is lost", "[db][scheduler][flow]"
) {
  SchedulerFixture fixture;
  LedScheduler first(fixture, "a");
  LedScheduler second(fixture, "b");
  first.round();
  second.round();
  REQUIRE(first.service().isOwner());
  for (int i = 0; i < 10; ++i) {  // at no time of its life a follower pauses longer
    while (first.clock.now() < second.clock.now()) first.round();
    const auto looked = second.clock.now();
    second.round();
    CHECK(second.clock.now() - looked <= 3s);
  }
  first.service().stop();
  second.round();
  CHECK(second.service().isOwner());
}

TEST_CASE("A follower with a short lease looks before a renewal could be missed", "[db][scheduler][flow]") {
  SchedulerFixture fixture;
  scheduler::SchedulerSettings settings;
  settings.lease = 4s;
  LedScheduler first(fixture, "a", settings);
  LedScheduler second(fixture, "b", settings);
  first.round();
  const auto looked = second.clock.now();
  second.round();
  CHECK(second.clock.now() - looked <= 1s);
}

TEST_CASE("A node that dies with the role is evicted as soon as the next owner is there", "[db][scheduler][flow]") {
  SchedulerFixture fixture;
  for (const auto* name : {"a", "b"}) fixture.addNode(name);
  LedScheduler first(fixture, "a");
  LedScheduler second(fixture, "b");
  first.round();
  for (int i = 0; i < 10; ++i) {
    for (const auto* name : {"a", "b"}) fixture.renew(name);
    while (first.clock.now() < second.clock.now()) first.round();
    second.round();
  }
  REQUIRE(first.service().isOwner());
  const auto died = second.clock.now();
  const auto isEvicted = [&] { return fixture.nodes().getNode(SchedulerFixture::call(), "a")->life == proto::Life(); };
  for (int i = 0; i < 100 && !isEvicted(); ++i) {
    fixture.renew("b");
    second.round();
  }
  REQUIRE(isEvicted());
  CHECK(second.service().isOwner());
  CHECK(second.clock.now() - died >= 20s);
  CHECK(second.clock.now() - died <= 50s);
  CHECK(fixture.nodes().getNode(SchedulerFixture::call(), "b")->life != proto::Life());
}

TEST_CASE(
    "The holder's own clock ends the role at two thirds of the lease, a renewal revives it", "[db][scheduler][flow]"
) {
  SchedulerFixture fixture;
  LedScheduler owner(fixture, "a");
  owner.round();
  REQUIRE(owner.service().isOwner());
  owner.clock.advance(21s);
  CHECK_FALSE(owner.service().isOwner());
  owner.round();
  CHECK(owner.service().isOwner());
}

TEST_CASE("The service runs by itself and stops cleanly", "[db][scheduler][flow]") {
  SchedulerFixture fixture;
  runtime::Reactor reactor;
  reactor.start();
  runtime::ThreadPool pool("ctl", 2, 0, [](const Error&) {});
  fixture.addNode("a");
  const auto id = fixture.addTask("t", "cancelling").id;
  scheduler::SchedulerService service(
      {fixture.nodes(),
       fixture.scheduler(),
       runtime::systemClock(),
       reactor,
       pool,
       "a",
       [] { return runtime::systemClock().now(); },
       nullptr},
      {}
  );
  service.start();
  CHECK(eventually([&] { return fixture.task(id).state == TaskState::kReverted; }));
  CHECK(service.isOwner());
  const auto rounds = service.numRounds();
  service.nudge();
  CHECK(eventually([&] { return service.numRounds() > rounds; }));
  service.stop();
  service.stop();
  CHECK_FALSE(service.isOwner());
  CHECK(fixture.scheduler().getOwner(SchedulerFixture::call()).life == proto::Life());
  reactor.stop();
}

TEST_CASE("A service that is not enabled does nothing", "[db][scheduler][flow]") {
  SchedulerFixture fixture;
  FakeClock clock;
  FakeTimers timers(clock);
  runtime::ThreadPool pool("ctl", 1, 0, [](const Error&) {});
  scheduler::SchedulerSettings settings;
  settings.enabled = false;
  scheduler::SchedulerService service(
      {fixture.nodes(), fixture.scheduler(), clock, timers, pool, "a", nullptr, nullptr}, settings
  );
  service.start();
  clock.advance(60s);
  service.stop();
  CHECK(service.numRounds() == 0);
}
