// sql_batch by real daemons: each row once, whatever dies.
#include "private_server.hpp"
#include "system_cluster.hpp"

#include "support/certificates.hpp"
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <random>

using namespace disttask;
using namespace disttask::test;

namespace {

/// A table of numbers, and nodes that may change it. Test's thread only.
class BatchScene {
 public:
  BatchScene(SystemCluster& cluster, int rows) : cluster_(cluster), rows_(rows) {
    cluster_.installSchema();
    cluster_.execute("create table numbers (id int primary key, n int not null)");
    std::string text;
    for (int i = 1; i <= rows_; ++i) text += fmt::format("{}({},0)", text.empty() ? "" : ",", i * 2);
    cluster_.execute("insert into numbers values " + text);
    const auto installed = cluster_.ctl(
        {"schema", "install", "--connection", "target", "--config", cluster_.writeConfig(node("installer")).string()}
    );
    if (installed.exit_code != 0) FAIL("ledger: " << installed.err);
  }

  [[nodiscard]] NodeOptions node(const std::string& id) const {
    NodeOptions options;
    options.id = id;
    options.slots = 2;
    options.more = fmt::format(
        "plugins:\n  list: [{}]\nconnections:\n  target:\n{}    types: [sql_batch]\n    schemas: [{}]\n",
        SQL_BATCH_PLUGIN,
        cluster_.serverYaml("    ", "endpoint"),
        cluster_.schema()
    );
    if (!replica_.empty()) {
      options.more += fmt::format(
          "  replica:\n    socket: {}\n    user: root\n    types: [sql_batch]\n    schemas: [{}]\n",
          replica_,
          cluster_.schema()
      );
    }
    return options;
  }
  void useReplica(const std::string& socket) { replica_ = socket; }

  [[nodiscard]] std::vector<std::string> submit(const std::string& more = "") const {
    return submitWith(
        R"("statement": "update numbers set n = n + 1 where {range}", "chunk_rows": 50, "subtask_rows": 500)" + more
    );
  }
  /// Each row takes so many seconds.
  [[nodiscard]] std::vector<std::string> submitSlow(const std::string& seconds, const std::string& more) const {
    return submitWith(
        R"("statement": "update numbers set n = n + 1 where {range} and sleep()" + seconds + ") = 0\", " + more
    );
  }

  void checkOnce() const {
    CHECK(
        cluster_.scalar("select concat(count(*), ' ', sum(n), ' ', min(n), ' ', max(n)) from numbers") ==
        fmt::format("{0} {0} 1 1", rows_)
    );
  }

  /// What `task submit --dry-run` says of submit(), with the settings of such a node at hand.
  [[nodiscard]] CtlResult dryRun() const {
    auto words = submit();
    words.insert(words.end(), {"--dry-run", "-o", "json", "--config", cluster_.writeConfig(node("dry")).string()});
    return cluster_.ctl(words);
  }

 private:
  [[nodiscard]] std::vector<std::string> submitWith(const std::string& members) const {
    const auto meta = fmt::format(
        R"({{"connection": "target", "table": "{}.numbers", "chunk_time": "0s", {}}})", cluster_.schema(), members
    );
    return {"task", "submit", "--type", "sql_batch", "--key", "batch", "--meta", meta};
  }

  SystemCluster& cluster_;
  const int rows_;
  std::string replica_;
};

std::unique_ptr<sqlclient::Connection> connectTo(const PrivateServer& server) {
  sqlclient::ConnectSettings settings;
  settings.endpoints = {{}};
  settings.endpoints.front().socket = server.socket();
  settings.user = "root";
  return sqlclient::Connection::open(settings);
}

}  // namespace

TEST_CASE("After kill -9 of a node before, in and behind a commit of sql_batch, n = n + 1 is applied once to each row"
) {
  SystemCluster cluster;
  BatchScene scene(cluster, 3000);
  const auto reached = (cluster.folder() / "reached").string();
  auto options = scene.node("doomed");
  options.failpoints = GENERATE("sql_batch.chunk_taken", "sql_batch.before_commit", "sql_batch.after_commit") +
                       std::string("=4*touch:") + reached;
  auto doomed = cluster.startReady(options);
  auto other = cluster.startReady(scene.node("other"));
  auto submit = scene.submit();
  submit.insert(submit.end(), {"--parallel", "2"});
  REQUIRE(cluster.ctl(submit).exit_code == 0);
  REQUIRE(eventually([&] { return std::filesystem::exists(reached); }));
  doomed.process->kill(SIGKILL);
  const auto result = cluster.ctl({"task", "wait", "batch", "--timeout", "90s", "-o", "json"});
  INFO(result.err << other.process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkOnce();
  CHECK(other.stop() == 0);
}

TEST_CASE("A dry run of task submit says how many subtasks of a sql_batch would go where, and leaves nothing behind") {
  SystemCluster cluster;
  BatchScene scene(cluster, 2000);
  auto a = cluster.startReady(scene.node("node-a"));
  auto b = cluster.startReady(scene.node("node-b"));
  const auto result = scene.dryRun();
  INFO(result.out << result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.json().find("subtasks")->asInt() == 4);
  CHECK(result.json().find("nodes")->dump(0) == R"({"node-a":2,"node-b":2})");
  CHECK(cluster.scalar("select count(*) from disttask_csv_ledger") == "0");
  CHECK(cluster.scalar("select count(*) from tidb_global_task") == "0");
  CHECK(a.stop() + b.stop() == 0);
}

TEST_CASE("task modify opens the throttle of a running sql_batch on each node") {
  SystemCluster cluster;
  BatchScene scene(cluster, 1000);
  auto a = cluster.startReady(scene.node("node-a"));
  auto b = cluster.startReady(scene.node("node-b"));
  auto submit = scene.submit(R"(, "max_load": {"Threads_connected": 0})");
  REQUIRE(cluster.ctl(submit).exit_code == 0);
  REQUIRE(eventually([&] {
    return (a.process->errors() + b.process->errors()).find("waits: max_load: Threads_connected is ") !=
           std::string::npos;
  }));
  CHECK(cluster.scalar("select sum(n) from numbers") == "0");
  // A mistake would fail the task at its next idle moment, so nothing of it is written.
  const auto row = [&] { return cluster.scalar("select concat(state, ' ', meta) from tidb_global_task"); };
  const auto before = row();
  const auto wrong = scene.submit(R"(, "max_lod": {"Threads_connected": 9})").back();
  const auto refused = cluster.ctl({"task", "modify", "batch", "--meta", wrong, "--plugin", SQL_BATCH_PLUGIN});
  CHECK(refused.exit_code == 2);
  CHECK_THAT(refused.err, Catch::Contains("--meta is not what type 'sql_batch' wants") && Catch::Contains("max_lod"));
  const auto none = cluster.folder().path() / "none";
  std::filesystem::create_directory(none);
  CHECK(
      cluster.ctl({"task", "modify", "batch", "--meta", wrong, "--plugins-dir", none, "--validate", "require"})
          .exit_code == 5
  );
  CHECK(row() == before);
  const auto open = scene.submit().back();
  const auto modified =
      cluster.ctl({"task", "modify", "batch", "--meta", open, "--plugin", SQL_BATCH_PLUGIN, "--validate", "require"});
  INFO(modified.err);
  REQUIRE(modified.exit_code == 0);
  const auto result = cluster.ctl({"task", "wait", "batch", "--timeout", "60s", "-o", "json"});
  INFO(result.err << a.process->errors() << b.process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkOnce();
  CHECK(a.stop() == 0);
  CHECK(b.stop() == 0);
}

TEST_CASE("While nodes are killed at random moments and start again, n = n + 1 is applied once to each row") {
  constexpr int kRows = 4000;
  constexpr int kChunks = kRows / 20;
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&random](int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random); };
  SystemCluster cluster;
  BatchScene scene(cluster, kRows);
  std::vector<NodeProcess> nodes;
  for (const char* id : {"node-a", "node-b", "node-c"}) nodes.push_back(cluster.startReady(scene.node(id)));
  auto submit = scene.submitSlow("0.002", R"("chunk_rows": 20, "subtask_rows": 100)");
  submit.insert(submit.end(), {"--parallel", "2"});
  REQUIRE(cluster.ctl(submit).exit_code == 0);
  int kills = 0;
  for (int part = 0; part != 8; ++part) {
    // The ledger counts chunks; where in a chunk the others are then, chance decides.
    const int chunks = 1 + part * kChunks / 8 + below(kChunks / 8);
    REQUIRE(eventually(std::chrono::seconds(60), [&] {
      return std::stoi(cluster.scalar("select ifnull(sum(num_bytes), 0) from disttask_csv_ledger where step = 1")) >=
             chunks;
    }));
    auto& node = nodes.at(static_cast<std::size_t>(below(3)));
    const auto id = std::string(1, static_cast<char>('a' + (&node - nodes.data())));
    node.process->kill(SIGKILL);
    REQUIRE(node.process->wait());
    node = cluster.start(scene.node("node-" + id));
    ++kills;
  }
  CHECK(kills == 8);
  const auto result = cluster.ctl({"task", "wait", "batch", "--timeout", "90s", "-o", "json"});
  INFO(result.err << nodes.front().process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkOnce();
}

TEST_CASE("A real replica that falls behind, or does not replicate, holds a batch up until it has caught up") {
  const auto port = freePort();
  const PrivateServer primary(
      {"--server-id=1",
       "--log-bin",
       "--binlog-format=row",
       "--skip-networking=0",
       "--bind-address=127.0.0.1",
       "--port=" + std::to_string(port)}
  );
  const PrivateServer secondary({"--server-id=2", "--innodb-lock-wait-timeout=60"});
  connectTo(primary)->execute("create user repl@'%'");
  connectTo(primary)->execute("grant replication slave on *.* to repl@'%'");
  const auto replica = connectTo(secondary);
  replica->execute(fmt::format(
      "change master to master_host='127.0.0.1', master_port={}, master_user='repl', "
      "master_use_gtid=slave_pos, master_connect_retry=1",
      port
  ));
  replica->execute("start slave");
  SystemCluster cluster(primary.socket());
  BatchScene scene(cluster, 1000);
  scene.useReplica(secondary.socket());
  auto node = cluster.startReady(scene.node("node-a"));
  const auto table = cluster.schema() + ".numbers";
  const auto onReplica = [&](const std::string& question) {
    auto rows = replica->queryDynamic("replica", question, {});
    return rows.next() ? rows.getString(1) : std::string();
  };
  REQUIRE(eventually(std::chrono::seconds(30), [&] {
    return onReplica(
               "select count(*) from information_schema.tables where table_schema = '" + cluster.schema() +
               "' and table_name = 'numbers'"
           ) == "1" &&
           onReplica("select count(*) from " + table) == "1000";
  }));

  // Somebody's lock on the replica keeps it from following.
  const auto blocker = connectTo(secondary);
  blocker->begin();
  blocker->execute("update " + table + " set n = n where id > 0");
  const auto throttled = R"("chunk_rows": 20, "max_lag": "1s", "replicas": ["replica"])";
  REQUIRE(cluster.ctl(scene.submitSlow("0.01", throttled)).exit_code == 0);
  const auto says = [&](const std::string& text) {
    return eventually(std::chrono::seconds(30), [&] { return node.process->errors().find(text) != std::string::npos; });
  };
  REQUIRE(says("waits: max_lag: replica 'replica' is "));
  CHECK(node.process->errors().find(" s behind, more than 1 s") != std::string::npos);
  CHECK(cluster.scalar("select count(*) from numbers where n = 0") != "0");
  // People at a terminal see it too.
  const auto subtask = cluster.scalar("select min(id) from tidb_background_subtask where state = 'running'");
  CHECK_THAT(
      cluster.ctl({"subtask", "show", subtask}).out,
      Catch::Contains(R"("throttled_by":"max_lag: replica 'replica' is )")
  );
  CHECK_THAT(
      cluster.ctl({"task", "show", "batch"}).out, Catch::Contains("1 subtask by max_lag: replica 'replica' is ")
  );
  CHECK_THAT(
      cluster.ctl({"task", "why", "batch"}).out,
      Catch::Contains("1 subtask is held up by the task's type: max_lag: replica 'replica' is ")
  );
  blocker->rollback();
  REQUIRE(says("goes on; max_lag allows it"));

  replica->execute("stop slave");
  REQUIRE(says("waits: max_lag: replica 'replica' does not replicate now"));
  CHECK(cluster.scalar("select count(*) from numbers where n = 0") != "0");
  replica->execute("start slave");
  const auto result = cluster.ctl({"task", "wait", "batch", "--timeout", "90s", "-o", "json"});
  INFO(result.err << node.process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkOnce();
  CHECK(node.stop() == 0);
}
