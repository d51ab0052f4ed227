#include "csv_scene.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <csignal>

using namespace disttask;
using namespace disttask::test;

TEST_CASE("csv_import loads a file on two nodes and verifies it") {
  SystemCluster cluster;
  CsvScene scene(cluster, 20'000);
  auto a = cluster.startReady(scene.node("node-a"));
  auto b = cluster.startReady(scene.node("node-b"));
  const auto result = cluster.ctl(
      {"task", "submit", "--type", "csv_import", "--key", "import", "--meta", scene.meta(), "--wait", "-o", "json"}
  );
  INFO(result.err << a.process->errors() << b.process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkLoaded(result.json());
  CHECK(result.json().find("steps")->asArray().at(0).find("nodes")->asObject().size() == 2);
  CHECK(a.stop() == 0);
  CHECK(b.stop() == 0);
}

TEST_CASE("After kill -9 of a node that holds a chunk, before and after its work, the import is finished and verified"
) {
  SystemCluster cluster;
  CsvScene scene(cluster, 20'000);
  const auto reached = (cluster.folder() / "reached").string();
  auto options = scene.node("doomed");
  options.failpoints =
      GENERATE("csv_import.chunk_taken", "csv_import.before_commit") + std::string("=touch:") + reached;
  auto doomed = cluster.startReady(options);
  auto other = cluster.startReady(scene.node("other"));
  REQUIRE(
      cluster.ctl({"task", "submit", "--type", "csv_import", "--key", "import", "--meta", scene.meta()}).exit_code == 0
  );
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  doomed.process->kill(SIGKILL);
  const auto result = cluster.ctl({"task", "wait", "import", "--timeout", "90s", "-o", "json"});
  INFO(result.err << other.process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkLoaded(result.json());
  CHECK(other.stop() == 0);
}

TEST_CASE("A node without the file hands planning and chunks on to the one that has it") {
  SystemCluster cluster;
  CsvScene scene(cluster, 5'000);
  // Either may be asked to plan first.
  const bool first_has = GENERATE(true, false);
  auto first = cluster.startReady(scene.nodeWithOwnFiles("node-a", first_has));
  auto second = cluster.startReady(scene.nodeWithOwnFiles("node-b", !first_has));
  const auto result = cluster.ctl(
      {"task",
       "submit",
       "--type",
       "csv_import",
       "--key",
       "import",
       "--meta",
       scene.metaOfOwnFiles(),
       "--wait",
       "-o",
       "json"}
  );
  INFO(result.err << first.process->errors() << second.process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkLoaded(result.json());
  const std::string owner = first_has ? "node-a" : "node-b";
  CHECK(cluster.scalar("select group_concat(distinct exec_id) from tidb_background_subtask where step = 1") == owner);
  CHECK(first.stop() == 0);
  CHECK(second.stop() == 0);
}

TEST_CASE("The task fails with the file's name when no node has the file") {
  SystemCluster cluster;
  CsvScene scene(cluster, 100);
  auto first = cluster.startReady(scene.nodeWithOwnFiles("node-a", false));
  auto second = cluster.startReady(scene.nodeWithOwnFiles("node-b", false));
  const auto result = cluster.ctl(
      {"task", "submit", "--type", "csv_import", "--key", "import", "--meta", scene.metaOfOwnFiles(), "--wait"}
  );
  INFO(result.err << first.process->errors() << second.process->errors());
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.out + result.err, Catch::Contains("/proc/self/cwd/files/cities.csv' cannot be read on this node"));
  CHECK(cluster.scalar("select count(*) from cities") == "0");
}
