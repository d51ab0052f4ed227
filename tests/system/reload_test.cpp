// SIGHUP and SIGUSR1 of a real daemon.
#include "system_cluster.hpp"

#include "../unit/http/raw_client.hpp"
#include <catch2/catch.hpp>

#include <csignal>
#include <fstream>

using namespace disttask;
using namespace disttask::test;

namespace {

constexpr const char* kReloaded = "the settings were reloaded";
constexpr const char* kNotReloaded = "the settings were not reloaded, the old ones hold";

/// How often a daemon has logged this.
std::size_t countOf(const NodeProcess& node, const std::string& text) {
  const auto log = node.process->errors();
  std::size_t count = 0;
  for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
  return count;
}

/// Lets a daemon read its settings again and waits until it says what became of it.
void reload(const NodeProcess& node, const std::string& outcome = kReloaded) {
  const auto before = countOf(node, outcome);
  node.process->kill(SIGHUP);
  if (!eventually([&] { return countOf(node, outcome) > before; })) FAIL("no reload: " << node.process->errors());
}

std::string page(const NodeProcess& node, const std::string& path) {
  const std::string mark = "http://127.0.0.1:";
  const auto text = node.process->errors();
  const auto port = std::stoi(text.substr(text.find(mark) + mark.size()));
  const auto answer = get(static_cast<std::uint16_t>(port), path);
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

/// Returns what the metrics say of a series.
int figure(const NodeProcess& node, const std::string& series) {
  const auto metrics = page(node, "/metrics");
  const auto at = metrics.find("\n" + series + " ");
  if (at == std::string::npos) FAIL("no " << series);
  return std::stoi(metrics.substr(at + series.size() + 2));
}

bool logs(const NodeProcess& node, const std::string& text) {
  return countOf(node, text) > 0;
}

/// Writes a file of conf.d beside a node's settings.
void writeDropIn(const std::filesystem::path& settings, const std::string& name, const std::string& yaml) {
  const auto folder = settings.parent_path() / "conf.d";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / name) << yaml;
}

}  // namespace

TEST_CASE("SIGHUP applies slots and scope to the daemon and to its rows, and says each change") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha", .slots = 2});
  CHECK(cluster.scalar("select concat(role, ' ', cpu_count) from dist_framework_meta") == "disttask 2");
  const auto file = cluster.writeConfig({.id = "alpha", .slots = 5});
  std::ofstream(file, std::ios::app) << "polling: {task_interval: 200ms}\nscheduler: {max_tasks: 3}\n";
  writeDropIn(file, "scope.yaml", "node: {scope: other}\n");
  reload(node);
  CHECK(logs(node, "setting=\"node.slots: 2 -> 5\""));
  CHECK(logs(node, "setting=\"node.scope: \\\"disttask\\\" -> \\\"other\\\"\""));
  CHECK(logs(node, "setting=\"polling.task_interval: 300ms -> 200ms\""));
  CHECK(logs(node, "setting=\"scheduler.max_tasks: 16 -> 3\""));
  CHECK(eventually([&] {
    return cluster.scalar("select concat(role, ' ', cpu_count) from dist_framework_meta") == "other 5";
  }));
  CHECK(Json::parse(page(node, "/statusz")).find("scope")->asString() == "other");
  CHECK_THAT(page(node, "/metrics"), Catch::Contains("disttask_slots 5\n"));
  // What the service manager is told, in this order.
  const auto& told = node.notify->all();
  const auto reloading = told.find("RELOADING=1");
  REQUIRE(reloading != std::string::npos);
  CHECK(told.find("MONOTONIC_USEC=", reloading) != std::string::npos);
  CHECK(told.find("READY=1\nSTATUS=settings reloaded", reloading) != std::string::npos);
  // Work of the other scope runs here now, and as much at a time as there are slots.
  const auto done = cluster.submit("k", R"({"subtasks": 3})", {"--scope", "other", "--slots", "4", "--wait"});
  INFO(done.err);
  CHECK(done.exit_code == 0);
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP with a wrong file changes nothing, says all that is wrong, and the next right one heals") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha"});
  const auto file = cluster.writeConfig({.id = "alpha", .slots = 7});
  std::ofstream(file, std::ios::app) << "polling: {task_interval: 200}\nlgo: {}\n";
  reload(node, kNotReloaded);
  CHECK(logs(node, "polling.task_interval: value '200', needs a unit"));
  CHECK(logs(node, "lgo: unknown key, did you mean 'log'?"));
  CHECK_THAT(page(node, "/metrics"), Catch::Contains("disttask_slots 2\n"));
  CHECK_THAT(page(node, "/metrics"), Catch::Contains("disttask_config_last_reload_success 0\n"));
  const auto status = Json::parse(page(node, "/statusz"));
  CHECK_THAT(status.find("settings")->find("trouble")->asString(), Catch::Contains("polling.task_interval"));
  CHECK(node.notify->waitFor("the old ones hold"));
  CHECK(cluster.scalar("select cpu_count from dist_framework_meta") == "2");
  // The daemon works on.
  CHECK(cluster.submit("k", R"({"subtasks": 3})", {"--wait"}).exit_code == 0);
  cluster.writeConfig({.id = "alpha", .slots = 7});
  reload(node);
  CHECK_THAT(
      page(node, "/metrics"),
      Catch::Contains("disttask_slots 7\n") && Catch::Contains("disttask_config_last_reload_success 1\n")
  );
  CHECK(Json::parse(page(node, "/statusz")).find("settings")->find("trouble")->asString().empty());
  // A file that is gone is a wrong one.
  std::filesystem::remove(file);
  reload(node, kNotReloaded);
  CHECK(logs(node, "alpha.yaml: No such file or directory"));
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP names what needs a restart at each reload, and applies the rest") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha"});
  cluster.writeConfig({.id = "alpha", .lease = "4s", .slots = 3});
  for (std::size_t times = 1; times <= 2; ++times) {
    reload(node);
    CHECK(countOf(node, "a changed setting needs a restart setting=\"node.lease: 3s -> 4s\"") == times);
  }
  CHECK(countOf(node, "setting=\"node.slots: 2 -> 3\"") == 1);
  const auto status = Json::parse(page(node, "/statusz"));
  CHECK(status.find("settings")->find("need_restart")->dump() == R"(["node.lease"])");
  CHECK_THAT(status.find("status")->asString(), Catch::Contains("a restart is needed for node.lease"));
  CHECK(cluster.scalar("select lease_ms from disttask_node") == "3000");
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP changes level and form of the log") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha"});
  const auto file = cluster.writeConfig({.id = "alpha"});
  writeDropIn(file, "log.yaml", "log: {format: json}\n");
  reload(node, R"("message":"the settings were reloaded")");
  writeDropIn(file, "log.yaml", "log: {level: error}\nnode: {lease: 7s}\n");
  node.process->kill(SIGHUP);
  // Nothing below the level is written any more, also not the end of this reload.
  REQUIRE(eventually([&] {
    return Json::parse(page(node, "/statusz")).find("settings")->find("need_restart")->dump() == R"(["node.lease"])";
  }));
  CHECK_FALSE(logs(node, "node.lease: 3s -> 7s"));
  std::filesystem::remove(file.parent_path() / "conf.d/log.yaml");
  reload(node);
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP lets running work keep its slots when there are fewer, and nothing new begins beyond them") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha", .slots = 4});
  const auto submit = [&](const std::string& key, const std::string& meta) {
    return cluster.submit(key, meta, {"--slots", "2"}).exit_code;
  };
  const auto running = [&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state = 'running'");
  };
  REQUIRE(submit("first", R"({"subtasks": 1, "sleep_ms": 600000})") == 0);
  REQUIRE(submit("second", R"({"subtasks": 1, "sleep_ms": 600000})") == 0);
  REQUIRE(eventually([&] { return running() == "2"; }));
  cluster.writeConfig({.id = "alpha", .slots = 2});
  reload(node);
  REQUIRE(submit("third", R"({"subtasks": 1})") == 0);
  CHECK_THAT(
      page(node, "/metrics"), Catch::Contains("disttask_slots 2\n") && Catch::Contains("disttask_slots_used 4\n")
  );
  CHECK(eventually([&] { return cluster.scalar("select cpu_count from dist_framework_meta") == "2"; }));
  CHECK(running() == "2");
  REQUIRE(cluster.ctl({"task", "cancel", "first", "--yes", "--wait", "--timeout", "60s"}).exit_code == 6);
  // Two of two are still held by the second.
  CHECK(cluster.scalar("select state from tidb_global_task where task_key = 'third'") != "succeed");
  REQUIRE(cluster.ctl({"task", "cancel", "second", "--yes", "--wait", "--timeout", "60s"}).exit_code == 6);
  CHECK(cluster.ctl({"task", "wait", "third", "--timeout", "60s"}).exit_code == 0);
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP lets more tasks run at the same time") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha", .slots = 4, .more = "scheduler: {max_tasks: 1}\n"});
  const auto stateOf = [&](const std::string& key) {
    return cluster.scalar("select state from tidb_global_task where task_key = '" + key + "'");
  };
  for (const auto* key : {"first", "second"}) {
    REQUIRE(cluster.submit(key, R"({"subtasks": 1, "sleep_ms": 600000})").exit_code == 0);
    if (std::string(key) == "first") REQUIRE(eventually([&] { return stateOf("first") == "running"; }));
  }
  // The scheduler has seen it and left it where it is.
  const auto rounds = figure(node, "disttask_scheduler_rounds_total");
  REQUIRE(eventually([&] { return figure(node, "disttask_scheduler_rounds_total") >= rounds + 2; }));
  CHECK(stateOf("second") == "pending");
  cluster.writeConfig({.id = "alpha", .slots = 4, .more = "scheduler: {max_tasks: 2}\n"});
  reload(node);
  CHECK(eventually([&] { return stateOf("second") == "running"; }));
  for (const auto* key : {"first", "second"})
    REQUIRE(cluster.ctl({"task", "cancel", key, "--yes", "--wait", "--timeout", "60s"}).exit_code == 6);
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP lets ended tasks move to history sooner") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha", .more = "scheduler: {history_after: 1h}\n"});
  REQUIRE(cluster.submit("k", R"({"subtasks": 1})", {"--wait"}).exit_code == 0);
  cluster.writeConfig({.id = "alpha", .more = "scheduler: {history_after: 0ms}\n"});
  CHECK(cluster.scalar("select count(*) from tidb_global_task") == "1");
  reload(node);
  CHECK(eventually([&] { return cluster.scalar("select count(*) from tidb_global_task") == "0"; }));
  CHECK(cluster.scalar("select task_key from tidb_global_task_history") == "k");
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP lets a node ask the store more often") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady(
      {.id = "alpha", .more = "polling: {task_interval: 1m, subtask_interval: 1m, max_interval: 1m}\n"}
  );
  const auto numPolls = [&] { return figure(node, R"(disttask_polls_total{result="answered"})"); };
  REQUIRE(eventually([&] { return numPolls() > 0; }));
  cluster.writeConfig(
      {.id = "alpha", .more = "polling: {task_interval: 20ms, subtask_interval: 20ms, max_interval: 40ms}\n"}
  );
  reload(node);
  // More than hints and the reload itself ask for.
  const auto before = numPolls();
  CHECK(eventually([&] { return numPolls() >= before + 100; }));
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP lets more runs use a connection at the same time") {
  SystemCluster cluster;
  cluster.installSchema();
  cluster.execute("create table numbers (id int primary key, n int not null)");
  cluster.execute("insert into numbers values (1, 0), (2, 0)");
  const auto options = [&](int places) {
    return NodeOptions{
        .id = "alpha",
        .slots = 2,
        .more = std::string("plugins:\n  list: [") + SQL_BATCH_PLUGIN + "]\nconnections:\n  target:\n" +
                cluster.serverYaml("    ", "endpoint") + "    types: [sql_batch]\n    schemas: [" + cluster.schema() +
                "]\n    max_connections: " + std::to_string(places) + "\n"};
  };
  const auto config = cluster.writeConfig(options(1)).string();
  const auto installed = cluster.ctl({"schema", "install", "--connection", "target", "--config", config});
  if (installed.exit_code != 0) FAIL(installed.err);
  auto node = cluster.startReady(options(1));
  // Whoever changes a row waits for the test's own transaction.
  const auto holder = cluster.connect();
  holder->execute("begin");
  holder->execute("update numbers set n = n");
  const auto meta = R"({"connection": "target", "chunk_time": "0s", "chunk_rows": 1, "subtask_rows": 1, "table": ")" +
                    cluster.schema() + R"(.numbers", "statement": "update numbers set n = n + 1 where {range}"})";
  REQUIRE(
      cluster
          .ctl(
              {"task", "submit", "--type", "sql_batch", "--key", "k", "--slots", "2", "--parallel", "2", "--meta", meta}
          )
          .exit_code == 0
  );
  const auto numAtWork = [&] {
    return cluster.scalar(
        "select count(*) from information_schema.processlist where info like 'update%n + 1%' and db = '" +
        cluster.schema() + "'"
    );
  };
  REQUIRE(eventually([&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state = 'running'") == "2" &&
           numAtWork() == "1";
  }));
  static_cast<void>(cluster.writeConfig(options(2)));
  reload(node);
  CHECK(eventually([&] { return numAtWork() == "2"; }));
  holder->execute("rollback");
  CHECK(cluster.ctl({"task", "wait", "k", "--timeout", "90s"}).exit_code == 0);
  CHECK(cluster.scalar("select concat(min(n), ' ', max(n)) from numbers") == "1 1");
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP loads plugin files that are new, offers their types, and never loads one again") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto folder = cluster.folder() / "plugins";
  std::filesystem::create_directory(folder);
  std::filesystem::copy_file(HOOKS_PLUGIN, folder / "hooks.so");
  const NodeOptions options{.id = "alpha", .more = "plugins: {dir: " + folder.string() + "}\n"};
  auto node = cluster.startReady(options);
  CHECK(cluster.scalar("select types from disttask_node").find("example") == std::string::npos);
  // Under another name first: a reload must not meet half a file.
  std::filesystem::copy_file(EXAMPLE_PLUGIN, folder / "example.so.new");
  std::filesystem::rename(folder / "example.so.new", folder / "example.so");
  std::ofstream(folder / "broken.so") << "no library";
  reload(node);
  CHECK(logs(node, "a plugin is refused"));
  CHECK(eventually([&] {
    return page(node, "/metrics").find("disttask_config_last_reload_success 0\n") != std::string::npos;
  }));
  CHECK(eventually([&] { return node.notify->has("1 new plugin files were refused"); }));
  CHECK(eventually([&] {
    return cluster.scalar("select types from disttask_node").find("example") != std::string::npos;
  }));
  CHECK(cluster.submit("k", R"({"subtasks": 3})", {"--wait"}).exit_code == 0);
  CHECK_THAT(page(node, "/metrics"), Catch::Contains("disttask_run_seconds_count{type=\"example\"} 3\n"));
  std::filesystem::copy_file(EXAMPLE_PLUGIN, folder / "example.so.new");
  std::filesystem::rename(folder / "example.so.new", folder / "example.so");
  reload(node);
  CHECK(logs(node, "a plugin needs a restart"));
  CHECK(node.stop() == 0);
}

TEST_CASE("SIGHUP while a daemon still waits to be registered is kept until it works") {
  SystemCluster cluster;
  cluster.installSchema();
  auto first = cluster.startReady({.id = "alpha"});
  auto second = cluster.start({.id = "alpha", .state_dir = (cluster.folder() / "elsewhere").string()});
  REQUIRE(eventually([&] { return logs(second, "is held by another life"); }));
  second.process->kill(SIGHUP);
  second.process->kill(SIGUSR1);
  REQUIRE(eventually([&] { return logs(second, "state: end"); }));
  CHECK_FALSE(logs(second, kReloaded));
  CHECK(first.stop() == 0);
  REQUIRE(second.waitReady());
  CHECK(eventually([&] { return logs(second, kReloaded); }));
  CHECK(second.stop() == 0);
}

TEST_CASE("SIGUSR1 writes how the daemon is, part by part, whatever the level of the log") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha"});
  const auto file = cluster.writeConfig({.id = "alpha"});
  writeDropIn(file, "log.yaml", "log: {level: error}\nnode: {lease: 7s}\n");
  node.process->kill(SIGHUP);
  REQUIRE(eventually([&] {
    return !Json::parse(page(node, "/statusz")).find("settings")->find("need_restart")->asArray().empty();
  }));
  REQUIRE(cluster.submit("long", R"({"subtasks": 1, "sleep_ms": 600000})").exit_code == 0);
  REQUIRE(eventually([&] { return page(node, "/metrics").find("disttask_runs 1\n") != std::string::npos; }));
  const auto subtask = cluster.scalar("select id from tidb_background_subtask");
  node.process->kill(SIGUSR1);
  REQUIRE(eventually([&] { return logs(node, "state: end"); }));
  const auto log = node.process->errors();
  for (const auto* part :
       {"state: node exec_id=alpha",
        "state: slots total=2 used=1",
        "state: task task_id=",
        "state: queues",
        "state: store answers=true",
        "state: lease life=",
        "state: scheduler owner=true",
        "state: task type type=example"}) {
    INFO(part);
    CHECK(log.find(part) != std::string::npos);
  }
  const auto run = log.find("state: run");
  REQUIRE(run != std::string::npos);
  const auto line = log.substr(run, log.find('\n', run) - run);
  CHECK_THAT(
      line,
      Catch::Contains("task_key=long") && Catch::Contains("subtask_id=" + subtask) && Catch::Contains("age_seconds=")
  );
  REQUIRE(cluster.ctl({"task", "cancel", "long", "--yes", "--wait", "--timeout", "60s"}).exit_code == 6);
  CHECK(node.stop() == 0);
}
