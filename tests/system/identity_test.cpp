#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

TEST_CASE("A second life with the same id elsewhere is refused while the first lives, and begins when that has stopped"
) {
  SystemCluster cluster;
  cluster.installSchema();
  auto first = cluster.startReady({.id = "twin"});
  const auto life = cluster.scalar("select life from disttask_node where exec_id='twin'");
  auto second = cluster.start({.id = "twin", .state_dir = (cluster.folder() / "elsewhere").string()});
  // It names who holds the id, keeps the service manager patient, and changes nothing for longer than a lease.
  REQUIRE(second.process->waitForText("pid=" + std::to_string(first.process->pid())));
  CHECK(second.notify->waitFor("EXTEND_TIMEOUT_USEC="));
  CHECK(second.notify->waitFor("holds the id 'twin'"));
  const auto renewals = std::stol(cluster.scalar("select renewals from disttask_node"));
  REQUIRE(eventually([&] { return std::stol(cluster.scalar("select renewals from disttask_node")) >= renewals + 4; }));
  CHECK(cluster.scalar("select life from disttask_node where exec_id='twin'") == life);
  CHECK_FALSE(second.notify->has("READY=1"));
  CHECK(second.process->isRunning());
  CHECK(first.stop() == 0);
  CHECK(second.waitReady());
  CHECK(cluster.scalar("select life from disttask_node where exec_id='twin'") != life);
  CHECK(second.stop() == 0);
}

TEST_CASE("A second process on the same state_dir ends with 73 and names the first") {
  SystemCluster cluster;
  cluster.installSchema();
  auto first = cluster.startReady({.id = "twin"});
  auto second = cluster.start({.id = "twin"});
  const auto end = second.process->wait();
  REQUIRE(end);
  CHECK(end->exit_code == 73);
  CHECK_THAT(second.process->errors(), Catch::Contains(std::to_string(first.process->pid())));
  CHECK(first.stop() == 0);
}

TEST_CASE("A killed node takes its own rows over at once when it is started again, long before its lease ends") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto reached = (cluster.folder() / "reached").string();
  auto first = cluster.startReady({.lease = "10m", .failpoints = "executor.after_start=touch:" + reached});
  REQUIRE(cluster.submit("k", R"({"subtasks": 3})").exit_code == 0);
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  first.process->kill(SIGKILL);
  REQUIRE(first.process->wait());
  CHECK(cluster.scalar("select count(*) from tidb_background_subtask where state='running'") != "0");
  auto again = cluster.startReady({.lease = "10m"});
  // The owner's lease is as long, and nobody else is there: the new life of the same instance takes that over too.
  const auto result = cluster.ctl({"task", "wait", "k", "--timeout", "60s"});
  INFO(again.process->errors());
  CHECK(result.exit_code == 0);
  CHECK(again.stop() == 0);
}
