// Who gets places and nodes, as the contract's tests have it: behaviours 174, 177, 179, 183, 184.
#include "flow_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::TaskState;

namespace {

using Counts = std::map<std::string, int>;

scheduler::SchedulerSettings places(std::int32_t count) {
  scheduler::SchedulerSettings settings;
  settings.max_tasks_at_once = count;
  return settings;
}

std::string statesOf(Cluster& cluster) {
  return cluster.text("select group_concat(state order by id) from tidb_global_task");
}

}  // namespace

TEST_CASE(
    "Tasks beyond the limit at once wait, and begin as others end, until all have ended", "[db][scheduler][places]"
) {
  Cluster cluster({"a"}, places(2));
  cluster.rows_per_step = 2;
  constexpr int kTasks = 8;
  for (int i = 0; i < kTasks; ++i) cluster.addTask("t" + std::to_string(i));
  const auto count = [&](const std::string& where) {
    return std::stoi(cluster.text("select count(*) from tidb_global_task where " + where));
  };
  int most = 0;
  const bool all_ended = cluster.turnUntil(
      [&] {
        most = std::max(most, count("state='running'"));
        // Each round one task's rows end: those of the lowest id.
        cluster.run("a", "succeed", 1);
        return count("state='succeed'") == kTasks;
      },
      400
  );
  CHECK(all_ended);
  CHECK(most == 2);
}

TEST_CASE("More places let tasks begin that waited for one, fewer end no task", "[db][scheduler][places]") {
  Cluster cluster({"a"}, places(1));
  for (const char* key : {"t1", "t2", "t3"}) cluster.addTask(key);
  const auto settle = [&] {
    for (int i = 0; i < 10; ++i) cluster.turn();
    return statesOf(cluster);
  };
  REQUIRE(settle() == "running,pending,pending");
  cluster.owner.service().setMaxTasksAtOnce(2);
  CHECK(settle() == "running,running,pending");
  cluster.owner.service().setMaxTasksAtOnce(1);
  CHECK(settle() == "running,running,pending");
}

TEST_CASE(
    "The only place goes to the task of highest rank, whoever came first, and then down the ranks",
    "[db][scheduler][places]"
) {
  Cluster cluster({"a"}, places(1));
  cluster.rows_per_step = 2;
  cluster.addTask("last");
  cluster.addTask("first");
  cluster.addTask("second");
  cluster.store().execute("update tidb_global_task set priority=1 where task_key='first'");
  cluster.store().execute("update tidb_global_task set priority=2 where task_key='second'");
  for (int i = 0; i < 5; ++i) cluster.turn();
  CHECK(statesOf(cluster) == "pending,running,pending");
  const auto endOne = [&](int id) {
    return cluster.turnUntil([&] {
      cluster.run("a");
      return cluster.task(proto::TaskId(id)).state == TaskState::kSucceed;
    });
  };
  REQUIRE(endOne(2));
  REQUIRE(cluster.turnUntil([&] { return statesOf(cluster) == "pending,succeed,running"; }));
  REQUIRE(endOne(3));
  REQUIRE(cluster.turnUntil([&] { return statesOf(cluster) == "running,succeed,succeed"; }));
}

TEST_CASE("Nothing moves while no node has the slots, and all goes to the first that has", "[db][scheduler][places]") {
  Cluster cluster({"a", "b"});
  const auto id = cluster.addTask("t").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  const auto before = cluster.countBy(id, "pending");
  cluster.store().execute("update tidb_global_task set concurrency=64");  // a node has 4 slots
  for (int i = 0; i < 10; ++i) cluster.turn();
  CHECK(cluster.countBy(id, "pending") == before);
  cluster.alive.push_back("c");
  cluster.addNode("c");
  cluster.store().execute("update dist_framework_meta set cpu_count=64 where host='c'");
  CHECK(cluster.turnUntil([&] { return cluster.countBy(id, "pending") == Counts{{"c", 8}}; }));
}

TEST_CASE(
    "An idle node takes rows of a task of higher rank before those it runs beside are touched",
    "[db][scheduler][places]"
) {
  Cluster cluster({"a", "b"});
  cluster.placed_on = {"a"};
  cluster.rows_per_step = 4;
  const auto low = cluster.addTask("low").id;
  REQUIRE(cluster.turnUntil([&] { return !cluster.rows(low).empty(); }));
  cluster.begin("a", 1);
  const auto high = cluster.addTask("high").id;
  cluster.store().execute("update tidb_global_task set priority=1 where task_key='high'");
  REQUIRE(cluster.turnUntil([&] { return cluster.countBy(high, "pending")["b"] > 0; }));
  CHECK(cluster.countBy(low, "running") == Counts{{"a", 1}});
}

TEST_CASE(
    "A large task's rows leave the node that a small one keeps busy for those that are free", "[db][scheduler][places]"
) {
  Cluster cluster({"a", "b", "c", "d"});
  cluster.rows_per_step = 16;
  const auto large = cluster.addTask("large").id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(large).size() == 16; }));
  CHECK(cluster.countBy(large, "pending") == Counts{{"a", 4}, {"b", 4}, {"c", 4}, {"d", 4}});
  // On a nothing of it ever begins: a small task has the slots there.
  REQUIRE(cluster.turnUntil([&] {
    for (const auto* name : {"b", "c", "d"}) cluster.run(name);
    return cluster.countBy(large, "succeed")["b"] + cluster.countBy(large, "succeed")["c"] +
               cluster.countBy(large, "succeed")["d"] ==
           15;
  }));
  CHECK(cluster.countBy(large, "pending") == Counts{{"a", 1}});
}
