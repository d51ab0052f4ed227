#include "system_cluster.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <csignal>
#include <vector>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

TEST_CASE("A rolling restart of three daemons under load loses nothing and fails nothing") {
  SystemCluster cluster;
  cluster.installSchema();
  const std::vector<std::string> names{"roll-1", "roll-2", "roll-3"};
  std::vector<NodeProcess> nodes;
  nodes.reserve(names.size());
  for (const auto& name : names) nodes.push_back(cluster.startReady({.id = name, .lease = "6s"}));

  int submitted = 0;
  const auto submit = [&] {
    // Runs that may be repeated are given back; those that may not are waited for.
    for (const bool idempotent : {true, false}) {
      const auto meta = fmt::format(R"({{"subtasks": 30, "steps": 2, "sleep_ms": 100, "idempotent": {}}})", idempotent);
      REQUIRE(cluster.submit(fmt::format("k{}", ++submitted), meta).exit_code == 0);
    }
  };
  for (std::size_t i = 0; i < names.size(); ++i) {
    submit();
    const auto busy =
        "select count(*) from tidb_background_subtask where state='running' and exec_id='" + names[i] + "'";
    REQUIRE(eventually([&] { return cluster.scalar(busy) != "0"; }));
    const int code = nodes[i].stop();
    INFO(nodes[i].process->errors());
    CHECK(code == 0);
    nodes[i] = cluster.startReady({.id = names[i], .lease = "6s"});
  }
  for (int i = 1; i <= submitted; ++i) {
    const auto result = cluster.ctl({"task", "wait", fmt::format("k{}", i), "--timeout", "60s", "-o", "json"});
    INFO(result.out << result.err);
    CHECK(result.exit_code == 0);
  }
  CHECK(
      cluster.scalar("select count(*) from (select state from tidb_background_subtask union all select state from "
                     "tidb_background_subtask_history) s where state='succeed'") == std::to_string(submitted * 60)
  );
  // A stop is no abnormal end.
  CHECK(cluster.scalar("select count(*) from disttask_attempt where abnormal_ends > 0") == "0");
  for (const auto& node : nodes) CHECK(node.stop() == 0);
}

TEST_CASE("A subtask that ends its node again and again fails at the limit and the node works on") {
  SystemCluster cluster;
  cluster.installSchema();
  const NodeOptions options{
      .id = "hurt",
      .more = fmt::format("plugins:\n  list: [{}]\n  config: {{example: {{allow_harm: true}}}}\n", EXAMPLE_PLUGIN)};
  auto node = cluster.startReady(options);
  REQUIRE(cluster.submit("k", R"({"subtasks": 3, "crash_at": 2})").exit_code == 0);
  const std::string ended =
      "select count(*) from (select state from tidb_global_task union all select state from tidb_global_task_history) "
      "t where state='reverted'";
  int deaths = 0;
  // As a service manager would: started again whenever it has ended.
  REQUIRE(eventually(60s, [&] {
    if (!node.process->isRunning()) {
      ++deaths;
      node = cluster.startReady(options);
    }
    return cluster.scalar(ended) == "1";
  }));
  // Twice beside others, then three times alone.
  CHECK(deaths == 5);
  const auto result = cluster.ctl({"task", "show", "k", "-o", "json"});
  CHECK_THAT(result.out, Catch::Contains("ended its node 5 times"));
  CHECK(
      cluster.ctl({"task", "submit", "--type", "example", "--key", "next", "--wait", "--timeout", "30s"}).exit_code == 0
  );
  CHECK(node.stop() == 0);
}
