#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace disttask::test;

TEST_CASE("disttaskd tells the service manager when it is ready and when it stops, and ends with 0") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha"});
  CHECK(node.notify->has("STATUS=0/2 slots, 0 tasks, 0 runs"));
  const auto nodes = cluster.ctl({"node", "ls", "-o", "json"}).json().asArray();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].find("node")->asString() == "alpha");
  CHECK(nodes[0].find("state")->asString() == "live");
  CHECK(nodes[0].find("slots")->asInt() == 2);
  CHECK(nodes[0].find("types")->find("example") != nullptr);
  CHECK(nodes[0].find("pid")->asInt() == node.process->pid());
  CHECK_FALSE(node.notify->has("STOPPING=1"));
  CHECK(node.stop() == 0);
  CHECK(node.notify->has("STOPPING=1"));
  CHECK(cluster.scalar("select life from disttask_node") == "0");
  CHECK(cluster.scalar("select life from disttask_owner") == "0");
}

TEST_CASE("disttaskd lists everything that is wrong with its settings and ends with 78") {
  const TempDir folder;
  const auto file =
      folder.write("bad.yaml", "node: {id: n, slots: many}\nstore: {socket: /s, poool: 3}\nlog: {level: loud}\n")
          .string();
  for (const auto& arguments :
       {std::vector<std::string>{DISTTASKD, "--config", file}, {DISTTASKD, "--config", file, "--check-config"}}) {
    const auto result = runProgram(arguments);
    CHECK(result.exit_code == 78);
    CHECK_THAT(
        result.err,
        Catch::Contains(file + ":1:22: node.slots:") &&
            Catch::Contains(file + ":2:21: store.poool: unknown key, did you mean 'pool'?") &&
            Catch::Contains(file + ":3:14: log.level:")
    );
    CHECK(result.out.empty());
  }
  CHECK(runProgram({DISTTASKD, "--config", "/nowhere.yaml"}).exit_code == 78);
  CHECK(runProgram({DISTTASKD, "--nonsense"}).exit_code == 2);
}

TEST_CASE("disttaskd --check-config needs no store, shows the settings with defaults, and ends with 0") {
  const TempDir folder;
  const auto file = folder.write("good.yaml", "node: {id: n}\nstore: {socket: /nowhere.sock}\n").string();
  const auto result = runProgram({DISTTASKD, "--config", file, "--check-config"});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.out, Catch::Contains("state_dir: \"/var/lib/disttask\"") && Catch::Contains("lease: 30s"));
  CHECK_THAT(runProgram({DISTTASKD, "--version"}).out, Catch::StartsWith("disttaskd "));
}

TEST_CASE("The example settings that are shipped are right, apart from the files that they name") {
  for (const auto* name : {"/disttask.yaml", "/disttask.minimal.yaml"}) {
    REQUIRE(std::filesystem::exists(std::string(EXAMPLE_CONFIG_DIR) + name));
    const auto result = runProgram({DISTTASKD, "--config", std::string(EXAMPLE_CONFIG_DIR) + name, "--check-config"});
    std::string line;
    for (const char c : result.err) {
      if (c != '\n') {
        line.push_back(c);
        continue;
      }
      INFO(line);
      const bool names_a_file = line.find("No such file") != std::string::npos ||
                                line.find("expected a file that can be read") != std::string::npos;
      const bool is_about_the_host = line.find("this host calls itself") != std::string::npos;
      CHECK((names_a_file || is_about_the_host || line.find(": ok") != std::string::npos));
      line.clear();
    }
  }
}

TEST_CASE("disttaskd ends with 76 when the schema is missing, and says what to run") {
  SystemCluster cluster;
  auto node = cluster.start({});
  const auto end = node.process->wait();
  REQUIRE(end);
  CHECK(end->exit_code == 76);
  CHECK_THAT(node.process->errors(), Catch::Contains("disttaskctl schema install"));
}

TEST_CASE("disttaskd ends with 77 when the store refuses the login") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto config = cluster.writeConfig({});
  auto text = readFile(config);
  const auto user = text.find("  user: ");
  text.replace(user, text.find('\n', user) - user, "  user: nobody_of_this_name");
  const auto file = cluster.folder().write("other.yaml", text);
  const auto result = runProgram({DISTTASKD, "--config", file.string()});
  CHECK(result.exit_code == 77);
  CHECK_THAT(result.err, Catch::Contains("Access denied"));
}

TEST_CASE("disttaskd leaves at once, with 130, at a second signal while a run is waited for") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto reached = (cluster.folder() / "reached").string();
  auto node = cluster.startReady({.failpoints = "executor.after_start=touch:" + reached});
  REQUIRE(cluster.ctl({"task", "submit", "--type", "example", "--key", "k"}).exit_code == 0);
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  node.process->kill(SIGTERM);
  REQUIRE(node.notify->waitFor("STOPPING=1"));
  CHECK(node.process->isRunning());
  node.process->kill(SIGINT);
  const auto end = node.process->wait();
  REQUIRE(end);
  CHECK(end->exit_code == 130);
}

namespace {

/// Returns what stands in one column of the first subtask, live or in history.
std::string subtaskText(const SystemCluster& cluster, const std::string& column) {
  return cluster.scalar(
      "select " + column + " from tidb_background_subtask union all select " + column +
      " from tidb_background_subtask_history limit 1"
  );
}

/// Submits one subtask that takes this long, and waits until it runs.
void submitRun(const SystemCluster& cluster, int sleep_ms) {
  const auto meta = "{\"sleep_ms\": " + std::to_string(sleep_ms) + "}";
  REQUIRE(cluster.submit("k", meta).exit_code == 0);
  REQUIRE(eventually([&] { return subtaskText(cluster, "state") == "running"; }));
}

}  // namespace

TEST_CASE("SIGTERM drains: the row says so, what runs ends by itself, and the next start ends that drain") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha", .drain_timeout = "60s"});
  submitRun(cluster, 3000);
  node.process->kill(SIGTERM);
  REQUIRE(node.notify->waitFor("STATUS=stopping: draining, 1 runs may go on for "));
  CHECK(node.notify->has("EXTEND_TIMEOUT_USEC="));
  CHECK(
      cluster.scalar("select concat(wanted, ': ', wanted_message) from disttask_node") == "draining: its service stops"
  );
  CHECK(subtaskText(cluster, "state") == "running");
  const auto end = node.process->wait(std::chrono::seconds(40));
  REQUIRE(end);
  CHECK(end->exit_code == 0);
  CHECK(subtaskText(cluster, "concat(state, ' ', exec_id)") == "succeed alpha");
  CHECK(cluster.scalar("select concat(life, ' ', wanted) from disttask_node") == "0 draining");
  const auto again = cluster.startReady({.id = "alpha"});
  CHECK(cluster.scalar("select concat(wanted, wanted_message) from disttask_node") == "normal");
}

TEST_CASE("SIGINT, and SIGTERM once the time of its drain is over, give back what runs") {
  const auto signal = GENERATE(SIGINT, SIGTERM);
  INFO(signal);
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha", .drain_timeout = signal == SIGINT ? "60s" : "1s"});
  submitRun(cluster, 60'000);
  node.process->kill(signal);
  const auto end = node.process->wait(std::chrono::seconds(40));
  REQUIRE(end);
  CHECK(end->exit_code == 0);
  CHECK(subtaskText(cluster, "state") == "pending");
  CHECK(cluster.scalar("select wanted from disttask_node") == (signal == SIGINT ? "normal" : "draining"));
}

TEST_CASE("A drain that an operator asked for outlives stop and start") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha", .drain_timeout = "60s"});
  REQUIRE(cluster.ctl({"node", "drain", "alpha", "-m", "new disk"}).exit_code == 0);
  CHECK(node.stop() == 0);
  const auto again = cluster.startReady({.id = "alpha"});
  CHECK(cluster.scalar("select concat(wanted, ': ', wanted_message) from disttask_node") == "draining: new disk");
}

TEST_CASE("A second signal ends a drain at once") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha", .drain_timeout = "10m"});
  submitRun(cluster, 60'000);
  node.process->kill(SIGTERM);
  REQUIRE(node.notify->waitFor("STATUS=stopping: draining"));
  node.process->kill(SIGTERM);
  const auto end = node.process->wait();
  REQUIRE(end);
  CHECK(end->exit_code == 130);
}

namespace {

/// Waits until so many messages that hold `text` have come after the place `from`; returns what came since.
std::string waitForMore(NotifySocket& notify, const std::string& text, int count, std::size_t from) {
  std::string since;
  const bool came = eventually([&] {
    since = notify.all().substr(from);
    int found = 0;
    for (auto at = since.find(text); at != std::string::npos; at = since.find(text, at + 1)) ++found;
    return found >= count;
  });
  if (!came) FAIL(count << " times " << text << " did not come: " << notify.all());
  return since;
}

}  // namespace

TEST_CASE("The watchdog is fed while the loops move, and not while the polls or the renewals stand still") {
  const auto [loop, failpoint] = GENERATE(table<std::string, std::string>({
      {"poll", "executor.poll=5*touch:"},
      {"lease", "executor.renew=2*touch:"},
  }));
  INFO(loop);
  SystemCluster cluster;
  cluster.installSchema();
  const auto held = cluster.folder() / "held";
  auto node = cluster.startReady(
      {.id = "alpha",
       .failpoints = failpoint + held.string(),
       .watchdog_usec = "6000000",
       .more = "polling: {max_interval: 300ms}\n"}
  );
  waitForMore(*node.notify, "WATCHDOG=1", 1, 0);
  REQUIRE(eventually([&] { return std::filesystem::exists(held); }));
  const auto stands = "the " + loop + " loop stands still";
  REQUIRE(node.notify->waitFor(stands));
  auto from = node.notify->all().find(stands);
  const auto since = waitForMore(*node.notify, "STATUS=", 4, from);
  CHECK_THAT(since, !Catch::Contains("WATCHDOG=1"));
  std::filesystem::remove(held);
  waitForMore(*node.notify, "WATCHDOG=1", 2, from);
  CHECK(node.stop() == 0);
}

TEST_CASE("The watchdog is fed while a stop waits for runs and the loops move") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto reached = cluster.folder() / "reached";
  auto node = cluster.startReady(
      {.id = "alpha", .failpoints = "executor.after_start=touch:" + reached.string(), .watchdog_usec = "4000000"}
  );
  REQUIRE(cluster.ctl({"task", "submit", "--type", "example", "--key", "k"}).exit_code == 0);
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  node.process->kill(SIGINT);
  REQUIRE(node.notify->waitFor("STATUS=stopping: waiting for runs to return"));
  waitForMore(*node.notify, "WATCHDOG=1", 2, node.notify->all().find("STATUS=stopping: waiting for runs to return"));
  std::filesystem::remove(reached);
  const auto end = node.process->wait(std::chrono::seconds(40));
  REQUIRE(end);
  CHECK(end->exit_code == 0);
}

TEST_CASE("A watchdog that is shorter than the loops may wait for the store is warned of") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto config = cluster.writeConfig({.id = "alpha", .more = ""});
  ChildProcess node({DISTTASKD, "--config", config.string()}, {{"WATCHDOG_USEC", "10000000"}, {"JOURNAL_STREAM", ""}});
  REQUIRE(eventually([&] { return cluster.ctl({"node", "ls", "-o", "name"}).out == "alpha\n"; }));
  node.kill(SIGTERM);
  REQUIRE(node.wait());
  CHECK_THAT(node.errors(), Catch::Contains("WatchdogSec=") && Catch::Contains("needed_seconds=45"));
}
