#include "system_cluster.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;

TEST_CASE("A task whose subtask fails waits for task resolve, and task events tells the story") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "node-a"});
  const auto submitted = cluster.ctl(
      {"task",
       "submit",
       "--type",
       "example",
       "--key",
       "r",
       "--manual-recovery",
       "--meta",
       R"({"subtasks": 4, "fail_at": 2, "sleep_ms": 20})"}
  );
  INFO(submitted.err);
  REQUIRE(submitted.exit_code == 0);
  const auto waits = [&] { return cluster.scalar("select state from tidb_global_task") == "awaiting-resolution"; };
  const auto countOf = [&](const std::string& event) {
    return cluster.scalar("select count(*) from disttask_event where event='" + event + "'");
  };
  REQUIRE(eventually(waits));
  CHECK(cluster.ctl({"task", "resolve", "r"}).exit_code == 2);

  // Off a terminal nobody can be asked, and nothing is changed.
  const auto rows = [&] {
    return cluster.scalar(
        "select concat(t.state, ' ', group_concat(s.state order by s.id)) from tidb_global_task t join "
        "tidb_background_subtask s on s.task_key=t.id group by t.id, t.state"
    );
  };
  REQUIRE(eventually([&] { return rows().find("running") == std::string::npos; }));  // what was begun goes on
  const auto before = rows();
  for (const char* decision : {"--skip", "--fail"}) {
    const auto refused = cluster.ctl({"task", "resolve", "r", decision});
    CHECK(refused.exit_code == 5);
    CHECK_THAT(refused.err, Catch::Contains("--yes"));
    CHECK(rows() == before);
  }

  // It fails again, whatever one tries.
  const auto retried = cluster.ctl({"task", "resolve", "r", "--retry"});
  CHECK(retried.exit_code == 0);
  CHECK_THAT(retried.err, Catch::Contains("1 subtask runs again"));
  REQUIRE(eventually([&] { return countOf("await-resolution") == "2"; }));

  const auto skipped = cluster.ctl({"task", "resolve", "r", "--skip", "--yes", "-o", "json"});
  CHECK(skipped.json().find("subtasks")->asInt() == 1);
  const auto waited = cluster.ctl({"task", "wait", "r"});
  INFO(waited.err << node.process->errors());
  CHECK(waited.exit_code == 0);
  CHECK(cluster.ctl({"task", "resolve", "r", "--fail", "--yes"}).exit_code == 5);

  const auto events = cluster.ctl({"task", "events", "r", "-o", "json"}).json();
  std::string all;
  for (const auto& event : events.asArray()) all += event.find("event")->asString() + " ";
  CHECK(
      all ==
      "submit enter-step await-resolution retry-subtasks resolve-retry await-resolution skip-subtasks "
      "resolve-skip succeed "
  );
  const auto& failed = events.asArray().at(2);
  CHECK(failed.find("actor")->asString() == "node-a");
  CHECK(failed.find("reason")->asString() == "this subtask was told to fail");
  CHECK(failed.find("to")->asString() == "awaiting-resolution");
  CHECK_THAT(
      cluster.ctl({"task", "events", "r"}).out, Catch::Contains("1 subtask -> succeed") && Catch::Contains("submitter")
  );
  const auto subtasks = cluster.ctl({"task", "subtasks", "r", "-o", "json"}).json();
  CHECK_THAT(subtasks.asArray().at(1).find("error")->asString(), Catch::StartsWith("skipped by "));
  CHECK(node.stop() == 0);
}
