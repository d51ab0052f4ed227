// What the owner does when nodes come, go, and are cordoned or drained.
#include "disttask/base/failpoint.hpp"
#include "disttask/observability/log_capture.hpp"
#include "disttask/reasons/reasons.hpp"
#include "flow_cluster.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

using Counts = std::map<std::string, int>;

void wish(Cluster& cluster, const std::string& node, proto::WantedState wanted) {
  REQUIRE(cluster.nodes().setWish(SchedulerFixture::call(), node, {wanted, std::nullopt, ""}));
}

}  // namespace

TEST_CASE(
    "A plan leaves a draining planner, from its cursor, and stays where there is no other", "[db][scheduler][flow]"
) {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  cluster.plans_go_on = false;
  REQUIRE(cluster.turnUntil([&] { return cluster.plans().getPlansOf(SchedulerFixture::call(), "a").size() == 1; }));
  cluster.planOn("a");
  REQUIRE(cluster.rows(id).size() == 4);  // the first of two batches
  wish(cluster, "a", proto::WantedState::kDraining);
  for (int i = 0; i < 3; ++i) cluster.turn();
  REQUIRE(cluster.plans().getPlansOf(SchedulerFixture::call(), "a").size() == 1);
  cluster.alive.emplace_back("b");
  cluster.addNode("b");
  REQUIRE(cluster.turnUntil([&] { return cluster.plans().getPlansOf(SchedulerFixture::call(), "b").size() == 1; }));
  CHECK(cluster.plans().getPlansOf(SchedulerFixture::call(), "a").empty());
  cluster.planOn("b");
  CHECK(cluster.rows(id).size() == 8);
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending")["a"] == 0; }));
  CHECK(cluster.countBy(id, "pending") == Counts{{"b", 8}});
}

TEST_CASE("A plan does not go to a node that has missed renewals", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  cluster.turn();
  cluster.alive = {"b"};
  const auto began = cluster.owner.clock.now();
  while (cluster.owner.clock.now() - began < 20s) cluster.turn();
  REQUIRE(cluster.nodes().getNode(SchedulerFixture::call(), "a")->life != proto::Life());
  cluster.plans_go_on = false;
  cluster.addTask("t");
  cluster.turn();
  CHECK(cluster.plans().getPlansOf(SchedulerFixture::call(), "b").size() == 1);
}

TEST_CASE(
    "A round balances for half a second at most, and the tasks that are left begin the next one",
    "[db][scheduler][flow]"
) {
  Cluster cluster({"a"});
  std::vector<proto::TaskId> ids;
  for (const auto* name : {"t1", "t2"}) ids.push_back(cluster.addTask(name).id);
  REQUIRE(cluster.turnUntil([&] {
    return std::all_of(ids.begin(), ids.end(), [&](auto id) { return cluster.countBy(id, "pending")["a"] == 8; });
  }));
  cluster.alive.emplace_back("b");
  cluster.addNode("b");
  Failpoints::arm("scheduler.balance", [&] { cluster.owner.clock.advance(600ms); });
  std::vector<int> shares;  // tasks of which the new node has rows, after each round
  for (int i = 0; i < 20 && (shares.empty() || shares.back() < 2); ++i) {
    cluster.turn();
    shares.push_back(static_cast<int>(std::count_if(ids.begin(), ids.end(), [&](auto id) {
      return cluster.countBy(id, "pending")["b"] > 0;
    })));
  }
  Failpoints::disarm("scheduler.balance");
  shares.erase(shares.begin(), std::find_if(shares.begin(), shares.end(), [](int share) { return share > 0; }));
  CHECK(shares == std::vector<int>{1, 2});
}

TEST_CASE("A task that was to begin a round, and runs no more, keeps no other from its turn", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  std::vector<proto::TaskId> ids;
  for (const auto* name : {"t1", "t2", "t3"}) ids.push_back(cluster.addTask(name).id);
  cluster.store().execute("update tidb_global_task set concurrency=1");
  REQUIRE(cluster.turnUntil([&] {
    return std::all_of(ids.begin(), ids.end(), [&](auto id) { return cluster.countBy(id, "pending")["a"] == 8; });
  }));
  cluster.alive.emplace_back("b");
  cluster.addNode("b");
  int turns = 0;
  Failpoints::arm("scheduler.balance", [&] {
    ++turns;
    cluster.owner.clock.advance(600ms);
  });
  cluster.turn();
  REQUIRE(turns == 1);  // t2 is to begin the next round
  cluster.store().execute("update tidb_global_task set state='pausing' where task_key='t2'");
  cluster.turn();
  Failpoints::disarm("scheduler.balance");
  CHECK(turns == 2);
}

TEST_CASE("A long round ends early when a node joins, at most once a second", "[db][scheduler][flow]") {
  Cluster cluster({"a"});
  std::vector<proto::TaskId> ids;
  for (const auto* name : {"t1", "t2", "t3", "t4"}) ids.push_back(cluster.addTask(name).id);
  cluster.store().execute("update tidb_global_task set concurrency=1");
  REQUIRE(cluster.turnUntil([&] {
    return std::all_of(ids.begin(), ids.end(), [&](auto id) { return cluster.countBy(id, "pending")["a"] == 8; });
  }));
  int turns = 0;
  Failpoints::arm("scheduler.task", [&] {
    cluster.owner.clock.advance(260ms);
    if (++turns == 2 || turns == 5) {
      cluster.alive.emplace_back(turns == 2 ? "b" : "c");
      cluster.addNode(cluster.alive.back());
    }
  });
  cluster.turn();
  CHECK(turns == 2);
  cluster.turn();
  CHECK(turns == 2 + 4);
  CHECK(cluster.countBy(ids[0], "pending")["b"] > 0);
  Failpoints::disarm("scheduler.task");
  CHECK(cluster.turnUntil([&] { return cluster.countBy(ids[3], "pending")["c"] > 0; }));
}

TEST_CASE("A node that takes part again gets its share of what waits", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  wish(cluster, "a", proto::WantedState::kDraining);
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"b", 8}}; }));
  wish(cluster, "a", proto::WantedState::kNormal);
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"a", 4}, {"b", 4}}; }));
}

TEST_CASE(
    "A task that may use fewer nodes leaves those with least, and one that may use more gets a further one",
    "[db][scheduler][flow]"
) {
  Cluster cluster({"a", "b", "c"});
  cluster.rows_per_step = 12;
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"a", 4}, {"b", 4}, {"c", 4}}; }));
  cluster.begin("c", 2);
  cluster.run("a", "succeed", 2);
  cluster.store().execute("update tidb_global_task set max_node_count=2");
  // a has 2 of 10 left and goes; its rows are shared.
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"b", 5}, {"c", 3}}; }));
  CHECK(cluster.countBy(id, "running") == Counts{{"c", 2}});
  cluster.store().execute("update tidb_global_task set max_node_count=1");
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending").size() == 1; }));
  cluster.store().execute("update tidb_global_task set max_node_count=3");
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(id, "pending").size() == 3; }));
}

TEST_CASE("The rows of an evicted node are on live ones in the round that evicts it", "[db][scheduler][flow]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  cluster.begin("b", 1);
  cluster.store().execute("update disttask_node set life=0 where exec_id='b'");
  cluster.alive = {"a"};
  cluster.turn();
  CHECK(
      cluster.countBy(id, "pending") == Counts{{"a", 8}}
  );  // the running one, too: its token says that it may run twice
}

TEST_CASE(
    "A large task is planned when those of higher rank leave it a node, and a small one passes it",
    "[db][scheduler][flow]"
) {
  observability::LogCapture log;
  Cluster cluster({"a", "b"});  // of 4 slots
  cluster.rows_per_step = 4;
  const auto first = cluster.addTask("first").id;
  const auto large = cluster.addTask("large").id;
  const auto small = cluster.addTask("small").id;
  cluster.store().execute("update tidb_global_task set concurrency=4, priority=600 where task_key='large'");
  cluster.store().execute("update tidb_global_task set priority=700 where task_key='small'");
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(first).size() == 4 && cluster.rows(small).size() == 4; }));
  for (int i = 0; i < 10; ++i) cluster.turn();
  CHECK(cluster.rows(large).empty());
  CHECK(cluster.task(large).state == TaskState::kPending);
  const auto waits = log.records("task waits");
  REQUIRE(waits.size() == 1);
  CHECK(waits[0].value("reason") == "other tasks have the slots of all nodes that fit it");
  // Whoever asks is told the same, and who they are.
  const reasons::Sources sources{cluster.nodes(), cluster.scheduler(), cluster.store()->reasonTable()};
  const auto why = whyTask(sources, Cluster::call(), cluster.task(large)).reasons;
  const auto slots = std::find_if(why.begin(), why.end(), [](const auto& reason) {
    return reason.code == reasons::Code::kSlotsShort;
  });
  REQUIRE(slots != why.end());
  CHECK_THAT(slots->text, Catch::Contains("first (2, of higher rank), small (2)"));
  // One node is enough.
  cluster.store().execute(
      "update tidb_background_subtask set state='succeed', end_time=now() where exec_id='b' and state='pending'"
  );
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(large).size() == 4; }));
}

TEST_CASE("A dead background node still keeps tasks of the empty scope from all others", "[db][scheduler][flow]") {
  Cluster cluster({"plain", "back"});
  cluster.store().execute("update dist_framework_meta set role='background' where host='back'");
  cluster.store().execute("update dist_framework_meta set role='' where host='plain'");
  cluster.store().execute("update disttask_node set life=0 where exec_id='back'");
  cluster.alive = {"plain"};
  const auto id = cluster.addTask("t").id;
  cluster.store().execute("update tidb_global_task set target_scope=''");
  for (int i = 0; i < 10; ++i) cluster.turn();
  CHECK(cluster.task(id).state == TaskState::kPending);
  CHECK(cluster.planners.empty());
  // Forgetting it is the operator's word that there are none any more.
  REQUIRE(cluster.nodes().forget(SchedulerFixture::call(), "back", proto::Life()));
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
}
