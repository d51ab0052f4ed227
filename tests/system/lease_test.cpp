// What a daemon does when it cannot keep its lease, or cannot work safely on its server.
#include "private_server.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

/// A node that lets the example hurt it.
NodeOptions harmfulNode(const std::string& lease) {
  NodeOptions options;
  options.lease = lease;
  options.more = fmt::format("plugins:\n  list: [{}]\n  config:\n    example: {{allow_harm: true}}\n", EXAMPLE_PLUGIN);
  return options;
}

/// Submits task `k`, of one subtask, and returns when that runs.
void startOne(const SystemCluster& cluster, const std::string& meta) {
  REQUIRE(cluster.submit("k", meta).exit_code == 0);
  REQUIRE(eventually([&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state='running'") == "1";
  }));
}

}  // namespace

TEST_CASE("A run that ignores its cancel ends the daemon with 75 before the lease ends when it cannot be renewed") {
  const PrivateServer server;
  SystemCluster cluster(server.socket());
  cluster.installSchema();
  auto node = cluster.startReady(harmfulNode("12s"));
  startOne(cluster, R"({"hang_at": 1})");
  const auto going = runtime::systemClock().now();
  server.stop();
  const auto gone = runtime::systemClock().now();
  const auto end = node.process->wait(20s);
  const auto ended = runtime::systemClock().now();
  INFO(node.process->errors());
  REQUIRE(end);
  CHECK(end->exit_code == 75);
  CHECK(ended - gone < 12s);  // the last renewal was confirmed before the server was gone
  CHECK(ended - going > 2s);  // not before two thirds of the lease
  CHECK_THAT(
      node.process->errors(),
      Catch::Contains("two thirds of the lease have passed") && Catch::Contains("the process must end")
  );
}

TEST_CASE("A daemon whose runs obey their cancel outlives a store that is away for longer than its lease") {
  const PrivateServer server;
  SystemCluster cluster(server.socket());
  cluster.installSchema();
  auto node = cluster.startReady({.lease = "3s"});
  startOne(cluster, R"({"sleep_ms": 4000})");
  server.stop();
  REQUIRE(node.process->waitForText("runs are cancelled"));
  CHECK_FALSE(eventually(4s, [&] { return !node.process->isRunning(); }));
  server.start();
  const auto result = cluster.ctl({"task", "wait", "k", "--timeout", "60s"});
  INFO(node.process->errors());
  CHECK(result.exit_code == 0);
  CHECK(node.stop() == 0);
}

TEST_CASE("A daemon whose runs obey their cancel outlives a store that hangs for longer than its lease") {
  PrivateServer server;
  SystemCluster cluster(server.socket());
  cluster.installSchema();
  auto node = cluster.startReady({.lease = "24s"});
  startOne(cluster, R"({"sleep_ms": 2000})");
  server.freeze();  // the run waits in the socket for the answer to its checkpoint
  CHECK_FALSE(eventually(27s, [&] { return !node.process->isRunning(); }));
  CHECK_THAT(node.process->errors(), Catch::Contains("runs are cancelled"));
  server.thaw();
  const auto result = cluster.ctl({"task", "wait", "k", "--timeout", "60s"});
  INFO(node.process->errors());
  CHECK(result.exit_code == 0);
  CHECK(node.stop() == 0);
}

TEST_CASE("A run that waits for the answer to its checkpoint obeys its cancel at once, however short the lease is") {
  PrivateServer server;
  SystemCluster cluster(server.socket());
  cluster.installSchema();
  // The store's answer may take 5 s, but from the cancel to the end of the process there is one.
  auto node = cluster.startReady({.lease = "6s"});
  startOne(cluster, R"({"sleep_ms": 10000})");
  // A row is running before its node has the answer to the start: only a checkpoint says that the run goes on.
  REQUIRE(eventually([&] {
    return cluster.scalar("select max(checkpoint) from tidb_background_subtask").find("slept_ms") != std::string::npos;
  }));
  server.freeze();
  REQUIRE(node.process->waitForText("runs are cancelled"));
  CHECK(node.process->waitForText("subtask run canceled"));  // a process that had to end says it no more
  CHECK_FALSE(eventually(4s, [&] { return !node.process->isRunning(); }));
  server.thaw();
  const auto result = cluster.ctl({"task", "wait", "k", "--timeout", "60s"});
  INFO(node.process->errors());
  CHECK(result.exit_code == 0);
  CHECK(node.stop() == 0);
}

TEST_CASE("disttaskd ends with 78 and says why when the server's binary log does not allow its sessions") {
  const PrivateServer server({"--log-bin=binlog", "--server-id=1", "--binlog-format=ROW"});
  SystemCluster cluster(server.socket());
  cluster.installSchema();
  cluster.execute("set global binlog_format = 'STATEMENT'");
  auto node = cluster.start({});
  const auto end = node.process->wait();
  REQUIRE(end);
  CHECK(end->exit_code == 78);
  CHECK_THAT(node.process->errors(), Catch::Contains("binlog_format=STATEMENT does not allow READ COMMITTED"));
}
