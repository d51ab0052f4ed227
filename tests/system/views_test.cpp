// disttaskctl node show, history ls and history gc, on rows without daemons.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace disttask::test;

TEST_CASE("node show tells a node's life, what is wanted of it, what it runs and its last events") {
  SystemCluster cluster;
  cluster.installSchema();
  auto a = cluster.startReady({.id = "a"});
  REQUIRE(cluster.submit("k", R"({"subtasks": 2, "sleep_ms": 60000})").exit_code == 0);
  REQUIRE(eventually([&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state='running'") == "1";
  }));
  REQUIRE(cluster.ctl({"node", "cordon", "a", "-m", "new disk"}).exit_code == 0);
  const auto shown = cluster.ctl({"node", "show", "a", "-o", "json"});
  INFO(shown.out << shown.err);
  REQUIRE(shown.exit_code == 0);
  const auto json = shown.json();
  CHECK(json.find("state")->asString() == "live");
  CHECK(json.find("owner")->asBool());
  CHECK(json.find("wanted")->asString() == "cordoned");
  CHECK(json.find("types")->find("example") != nullptr);
  CHECK(json.find("slots")->asInt() == 2);
  CHECK(json.find("pending")->asInt() == 1);
  REQUIRE(json.find("runs")->asArray().size() == 1);
  CHECK(json.find("runs")->asArray()[0].find("key")->asString() == "k");
  CHECK(json.find("events")->asArray().back().find("event")->asString() == "wanted");
  const auto text = cluster.ctl({"node", "show", "a"});
  CHECK_THAT(
      text.out,
      Catch::Contains("owner of the scheduler role") && Catch::Contains("cordoned: new disk") &&
          Catch::Contains("example 1.0") && Catch::Contains("registered")
  );
  CHECK(cluster.ctl({"node", "show", "nobody"}).exit_code == 3);
  a.process->kill(SIGKILL);
}

TEST_CASE("history ls lists what was moved, and history gc deletes old subtasks and events but no task") {
  SystemCluster cluster;
  cluster.installSchema();
  cluster.execute(
      "insert into tidb_global_task_history (id, task_key, type, state, start_time, end_time) values "
      "(1, 'old', 'example', 'succeed', date_sub(now(), interval 9 day), date_sub(now(), interval 8 day)),"
      "(2, 'bad', 'other', 'reverted', null, now())"
  );
  cluster.execute(
      "insert into tidb_background_subtask_history (id, step, task_key, state, checkpoint, state_update_time) values "
      "(1, 1, '1', 'succeed', '{}', unix_timestamp()-8*86400), (2, 1, '2', 'succeed', '{}', unix_timestamp())"
  );
  cluster.execute(
      "insert into disttask_event (task_id, seq, at_ms, event, actor_kind, actor, archived_at) values "
      "(1, 1, 0, 'submit', 'submitter', 'x', unix_timestamp()-8*86400), (2, 1, 0, 'submit', 'submitter', 'x', "
      "unix_timestamp())"
  );
  CHECK(cluster.ctl({"history", "ls", "-o", "name"}).out == "bad\nold\n");
  CHECK(cluster.ctl({"history", "ls", "-o", "name", "--state", "succeed"}).out == "old\n");
  CHECK(cluster.ctl({"history", "ls", "-o", "name", "--type", "other"}).out == "bad\n");
  CHECK(cluster.ctl({"history", "ls", "-o", "name", "--limit", "1"}).out == "bad\n");
  CHECK_THAT(cluster.ctl({"history", "ls"}).out, Catch::Contains("RAN FOR") && Catch::Contains("24 h"));
  CHECK(cluster.ctl({"history", "ls", "--state", "running"}).exit_code == 2);
  CHECK(cluster.ctl({"history", "gc"}).exit_code == 2);
  CHECK(cluster.ctl({"history", "gc", "--older-than", "1s", "--yes"}).exit_code == 2);
  // Nobody is asked off a terminal: refused, and nothing is gone.
  CHECK(cluster.ctl({"history", "gc", "--older-than", "7d"}).exit_code == 5);
  CHECK(cluster.scalar("select count(*) from tidb_background_subtask_history") == "2");
  const auto gone = cluster.ctl({"history", "gc", "--older-than", "7d", "--yes", "-o", "json"});
  INFO(gone.err);
  CHECK(gone.exit_code == 0);
  CHECK(gone.json().find("subtasks")->asInt() == 1);
  CHECK(gone.json().find("events")->asInt() == 1);
  CHECK(cluster.scalar("select group_concat(task_key) from tidb_background_subtask_history") == "2");
  CHECK(cluster.scalar("select count(*) from tidb_global_task_history") == "2");
}

TEST_CASE("top is one picture off a terminal, with rates from two looks") {
  SystemCluster cluster;
  cluster.installSchema();
  auto a = cluster.startReady({.id = "a"});
  REQUIRE(cluster.submit("k", R"({"subtasks": 2000, "sleep_ms": 100})").exit_code == 0);
  REQUIRE(eventually([&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state='succeed'") != "0";
  }));
  const auto shown = cluster.ctl({"top", "-o", "json"});
  INFO(shown.out << shown.err);
  REQUIRE(shown.exit_code == 0);
  const auto json = shown.json();
  CHECK(json.find("owner")->asString() == "a");
  REQUIRE(json.find("tasks")->asArray().size() == 1);
  const auto& task = json.find("tasks")->asArray()[0];
  CHECK(task.find("subtasks")->asInt() == 2000);
  CHECK(task.find("done")->asInt() > 0);
  CHECK(task.find("per_second")->asDouble() > 0);
  CHECK(json.find("nodes")->asArray().at(0).find("used_slots")->asInt() == 1);
  const auto text = cluster.ctl({"top"});
  CHECK_THAT(text.out, Catch::Contains("1 of 1 nodes live") && Catch::Contains("a *") && !Catch::Contains("\x1b"));
  CHECK(cluster.ctl({"top", "--interval", "1ms"}).exit_code == 2);
  a.process->kill(SIGKILL);
}
