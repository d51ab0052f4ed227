#include "csv_scene.hpp"
#include "private_server.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

TEST_CASE(
    "Daemons wait for a store that is not there at start, and when it is away for 20 s on the way they stay alive and "
    "the "
    "import is finished and verified"
) {
  const PrivateServer server;
  SystemCluster cluster(server.socket());
  CsvScene scene(cluster, 100'000);
  server.stop();

  auto options = scene.node("node-a");
  options.lease = "30s";
  const auto reached = (cluster.folder() / "reached").string();
  options.failpoints = "csv_import.before_commit=1*touch:" + reached;
  auto a = cluster.start(options);
  options = scene.node("node-b");
  options.lease = "30s";
  auto b = cluster.start(options);
  REQUIRE(a.notify->waitFor("EXTEND_TIMEOUT_USEC="));
  REQUIRE(a.notify->waitFor("STATUS=waiting for the store, gone for 0 s: "));
  REQUIRE(a.notify->waitFor("STATUS=waiting for the store, gone for 2 s: "));
  CHECK(a.process->isRunning());
  server.start();
  REQUIRE(a.waitReady());
  REQUIRE(b.waitReady());

  REQUIRE(
      cluster.ctl({"task", "submit", "--type", "csv_import", "--key", "import", "--meta", scene.meta()}).exit_code == 0
  );
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  server.stop();
  std::filesystem::remove(reached);
  // Time itself is what is tested here: nothing happens that could be waited for.
  CHECK_FALSE(eventually(20s, [&] { return !a.process->isRunning() || !b.process->isRunning(); }));
  server.start();
  const auto result = cluster.ctl({"task", "wait", "import", "--timeout", "90s", "-o", "json"});
  INFO(result.err << a.process->errors() << b.process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkLoaded(result.json());
  CHECK(a.stop() == 0);
  CHECK(b.stop() == 0);
}
