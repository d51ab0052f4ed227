#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

/// Columns of the subtasks that any write would change.
constexpr const char* kRows =
    "select group_concat(concat_ws(':', id, exec_id, state, ddl_physical_tid, start_time, state_update_time, end_time, "
    "meta, summary) order by id separator "
    "';') from (select id, exec_id, state, ddl_physical_tid, start_time, state_update_time, end_time, meta, summary "
    "from tidb_background_subtask union "
    "all select id, exec_id, state, ddl_physical_tid, start_time, state_update_time, end_time, meta, summary from "
    "tidb_background_subtask_history) s";

}  // namespace

TEST_CASE("After kill -9 of a node that holds a subtask the other node finishes it when the lease has ended") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto reached = (cluster.folder() / "reached").string();
  auto doomed = cluster.startReady({.id = "doomed", .failpoints = "executor.after_start=touch:" + reached});
  auto other = cluster.startReady({.id = "other"});
  REQUIRE(cluster.submit("k", R"({"subtasks": 8})").exit_code == 0);
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  doomed.process->kill(SIGKILL);
  const auto result = cluster.ctl({"task", "wait", "k", "--timeout", "60s", "-o", "json"});
  INFO(other.process->errors());
  REQUIRE(result.exit_code == 0);
  const auto steps = result.json().find("steps")->asArray();
  REQUIRE(steps.size() == 1);
  CHECK(steps[0].find("subtasks")->find("succeed")->asInt() == 8);
  CHECK(steps[0].find("nodes")->find("other")->asInt() == 8);
  CHECK(cluster.scalar("select life from disttask_node where exec_id='doomed'") == "0");
  CHECK(other.stop() == 0);
}

TEST_CASE(
    "A process stopped beyond its lease and continued changes no row that was taken from it and starts nothing in that "
    "life"
) {
  SystemCluster cluster;
  cluster.installSchema();
  const auto reached = (cluster.folder() / "reached").string();
  auto frozen = cluster.startReady({.id = "frozen", .failpoints = "executor.before_finish=1*touch:" + reached});
  auto other = cluster.startReady({.id = "other"});
  REQUIRE(cluster.submit("k", R"({"subtasks": 8, "sleep_ms": 10})").exit_code == 0);
  // It has run a subtask and is about to write the finish when it is stopped.
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  const auto life = cluster.scalar("select life from disttask_node where exec_id='frozen'");
  frozen.process->kill(SIGSTOP);
  const auto result = cluster.ctl({"task", "wait", "k", "--timeout", "60s", "-o", "json"});
  INFO(other.process->errors());
  REQUIRE(result.exit_code == 0);
  CHECK(result.json().find("steps")->asArray().at(0).find("nodes")->find("other")->asInt() == 8);
  const auto rows = cluster.scalar(kRows);
  REQUIRE_FALSE(rows.empty());

  std::filesystem::remove(reached);
  frozen.process->kill(SIGCONT);
  // The old life joins its run (the pending finish matches no row) and only then a new one begins, or the process ends
  // with 75.
  const bool over = eventually([&] {
    return !frozen.process->isRunning() ||
           cluster.scalar("select life from disttask_node where exec_id='frozen'") != "0";
  });
  INFO(frozen.process->errors());
  CHECK(over);
  CHECK(cluster.scalar("select life from disttask_node where exec_id='frozen'") != life);
  CHECK(cluster.scalar(kRows) == rows);
  if (frozen.process->isRunning()) {
    CHECK(frozen.stop() == 0);
  } else {
    CHECK(frozen.process->wait()->exit_code == 75);
  }
  CHECK(cluster.scalar(kRows) == rows);
  CHECK(other.stop() == 0);
}
