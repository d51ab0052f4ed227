// More than one subtask of a task at a time: what the type and the submitter ask for.
#include "csv_scene.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

std::string numRunning(const SystemCluster& cluster) {
  return cluster.scalar("select count(*) from tidb_background_subtask where state='running'");
}

}  // namespace

TEST_CASE("csv_import loads as many chunks at a time as the node has slots, and as few as the submitter says") {
  SystemCluster cluster;
  CsvScene scene(cluster, 5'000);
  const auto reached = (cluster.folder() / "reached").string();
  auto options = scene.node("node-a");
  options.failpoints = "csv_import.chunk_taken=touch:" + reached;  // each chunk waits there while the file is there
  auto node = cluster.startReady(options);
  std::vector<std::string> submit{"task", "submit", "--type", "csv_import", "--key", "k", "--meta", scene.meta()};
  const bool alone = GENERATE(false, true);
  if (alone) submit.insert(submit.end(), {"--parallel", "1"});
  REQUIRE(cluster.ctl(submit).exit_code == 0);
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  if (alone) {
    CHECK_FALSE(eventually(2s, [&] { return numRunning(cluster) != "1"; }));
  } else {
    CHECK(eventually([&] { return numRunning(cluster) == "2"; }));
  }
  CHECK(node.stop() >= 0);
}

TEST_CASE("A submitter of a type that runs one subtask at a time gets as many as it asks for and the type allows") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.slots = 4});
  std::vector<std::string> submit{"task", "submit", "--type", "example", "--key", "k"};
  submit.insert(submit.end(), {"--meta", R"({"subtasks": 6, "sleep_ms": 60000})"});
  const std::string wanted = GENERATE("", "3", "auto");
  if (!wanted.empty()) submit.insert(submit.end(), {"--parallel", wanted});
  REQUIRE(cluster.ctl(submit).exit_code == 0);
  const std::string most = wanted.empty() ? "1" : wanted == "auto" ? "4" : wanted;
  REQUIRE(eventually([&] { return numRunning(cluster) == most; }));
  CHECK_FALSE(eventually(1s, [&] { return numRunning(cluster) != most; }));
  CHECK(node.stop() == 0);
  CHECK(numRunning(cluster) == "0");
}
