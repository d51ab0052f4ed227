// sql_batch by real daemons: each row once, whatever dies.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <csignal>

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
    return options;
  }

  [[nodiscard]] std::vector<std::string> submit(const std::string& more = "") const {
    const auto meta = fmt::format(
        R"({{"connection": "target", "table": "{}.numbers", "statement": "update numbers set n = n + 1 where {{range}}",
        "chunk_rows": 50, "chunk_time": "0s", "subtask_rows": 500{}}})",
        cluster_.schema(),
        more
    );
    return {"task", "submit", "--type", "sql_batch", "--key", "batch", "--meta", meta};
  }

  void checkOnce() const {
    CHECK(
        cluster_.scalar("select concat(count(*), ' ', sum(n), ' ', min(n), ' ', max(n)) from numbers") ==
        fmt::format("{0} {0} 1 1", rows_)
    );
  }

 private:
  SystemCluster& cluster_;
  const int rows_;
};

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
  const auto open = scene.submit().back();
  const auto modified = cluster.ctl({"task", "modify", "batch", "--meta", open});
  INFO(modified.err);
  REQUIRE(modified.exit_code == 0);
  const auto result = cluster.ctl({"task", "wait", "batch", "--timeout", "60s", "-o", "json"});
  INFO(result.err << a.process->errors() << b.process->errors());
  REQUIRE(result.exit_code == 0);
  scene.checkOnce();
  CHECK(a.stop() == 0);
  CHECK(b.stop() == 0);
}
