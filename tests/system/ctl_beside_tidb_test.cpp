// disttaskctl on the tables of a live TiDB: what is there with SELECT on them alone, and what is refused.
#include "dxf_tables.hpp"
#include "private_server.hpp"
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using Catch::Matchers::Contains;

namespace {

/// A server whose schema `mysql` has the tables of a TiDB with some rows, and an account that may only read these.
class TidbTables {
 public:
  explicit TidbTables(DxfVersion version) : cluster_(server_.socket()) {
    cluster_.installSchema();  // for sessions of the test
    for (const auto& sql : dxfTablesSql(version, "mysql.")) cluster_.execute(sql);
    cluster_.execute(
        "insert into mysql.dist_framework_meta values ('10.0.0.1:4000','',8,-1), ('10.0.0.2:4000','bg',16,-1)"
    );
    cluster_.execute(
        "insert into mysql.tidb_global_task (id, task_key, type, state, create_time, start_time, meta, concurrency, "
        "step) "
        "values (1, 'ddl/95', 'backfill', 'running', now(), now(), '{}', 8, 1), (2, 'import/7', 'ImportInto', "
        "'pending', "
        "now(), null, '{}', 8, -1)"
    );
    cluster_.execute(
        "insert into mysql.tidb_background_subtask (id, step, task_key, type, exec_id, state, checkpoint, concurrency, "
        "create_time, start_time, meta, ordinal, summary) values "
        "(1, 1, '1', 1, '10.0.0.1:4000', 'succeed', '{}', 8, now(), unix_timestamp(), '{}', 1, '{\"row_count\":120}'),"
        "(2, 1, '1', 1, '10.0.0.1:4000', 'running', '{}', 8, now(), unix_timestamp(), '{}', 2, '{\"row_count\":5}'),"
        "(3, 1, '1', 1, '10.0.0.2:4000', 'pending', '{}', 8, now(), null, '{}', 3, '{}')"
    );
    cluster_.execute(
        "insert into mysql.tidb_global_task_history (id, task_key, type, state, meta, concurrency, step, error) values "
        "(90, 'ddl/60', 'backfill', 'reverted', '{}', 8, 1, '{\"message\":\"duplicate entry\"}')"
    );
    cluster_.execute("create user reader@localhost");
    for (const auto* table :
         {"tidb_global_task",
          "tidb_global_task_history",
          "tidb_background_subtask",
          "tidb_background_subtask_history",
          "dist_framework_meta"})
      cluster_.execute(std::string("grant select on mysql.") + table + " to reader@localhost");
  }

  /// As somebody who only reads, by --schema.
  CtlResult read(std::vector<std::string> words) { return as("reader", {"--schema", "mysql"}, "", std::move(words)); }
  CtlResult asRoot(std::vector<std::string> words) { return as("root", {}, "mysql", std::move(words)); }
  [[nodiscard]] std::string scalar(const std::string& sql) const { return cluster_.scalar(sql); }

 private:
  CtlResult as(
      const std::string& user,
      const std::vector<std::string>& options,
      const std::string& schema,
      std::vector<std::string> words
  ) {
    words.insert(words.begin(), options.begin(), options.end());
    words.insert(
        words.begin(), {"--store", "mysql://" + user + "@localhost/" + schema + "?socket=" + server_.socket()}
    );
    return cluster_.ctl(words);
  }

  PrivateServer server_{std::vector<std::string>{}};
  SystemCluster cluster_;
};

}  // namespace

TEST_CASE("Reading commands work on a live TiDB's own tables with SELECT alone") {
  TidbTables tidb(GENERATE(DxfVersion::k81, DxfVersion::k85, DxfVersion::kNewer));
  CHECK(tidb.read({"task", "ls", "-o", "name"}).out == "import/7\nddl/95\n");
  CHECK(tidb.read({"task", "ls", "--all", "-o", "name"}).out == "ddl/60\nimport/7\nddl/95\n");

  const auto shown = tidb.read({"task", "show", "ddl/95", "-o", "json"});
  INFO(shown.err);
  REQUIRE(shown.exit_code == 0);
  const auto json = shown.json();
  const auto& step = json.find("steps")->asArray().at(0);
  CHECK(step.find("rows")->asInt() == 125);
  CHECK(step.find("plan_complete")->asBool());
  CHECK(step.find("subtasks")->find("succeed")->asInt() == 1);
  CHECK(tidb.read({"task", "subtasks", "id:1", "-o", "name"}).out == "id:1\nid:2\nid:3\n");
  CHECK_THAT(tidb.read({"subtask", "show", "2"}).out, Contains("running") && Contains("10.0.0.1:4000"));
  CHECK(tidb.read({"subtask", "show", "2", "-o", "json"}).json().find("reasons")->asArray().empty());
  CHECK(tidb.read({"task", "wait", "ddl/60"}).exit_code == 1);

  const auto nodes = tidb.read({"node", "ls", "-o", "json"});
  INFO(nodes.err);
  REQUIRE(nodes.exit_code == 0);
  const auto list = nodes.json();
  REQUIRE(list.asArray().size() == 2);
  CHECK(list.asArray()[1].find("node")->asString() == "10.0.0.2:4000");
  CHECK(list.asArray()[1].find("state")->asString() == "registered");
  CHECK(list.asArray()[1].find("slots")->asInt() == 16);

  CHECK_THAT(tidb.read({"history", "ls"}).out, Contains("ddl/60") && Contains("duplicate entry"));
  const auto top = tidb.read({"top"});
  INFO(top.err);
  CHECK(top.exit_code == 0);
  CHECK_THAT(top.out, Contains("2 of TiDB") && Contains("scheduled by TiDB") && Contains("ddl/95"));
}

TEST_CASE("What needs side tables says so where there are none, and nothing of a live TiDB is changed") {
  TidbTables tidb(DxfVersion::k85);
  for (const auto& words : std::vector<std::vector<std::string>>{{"task", "events", "id:1"}, {"plugin", "ls"}}) {
    const auto refused = tidb.read(words);
    INFO(words[1] << refused.out << refused.err);
    CHECK((refused.exit_code == 76 || refused.exit_code == 77));
    CHECK_THAT(refused.err, Contains("There are no side tables of disttask here") && Contains("history ls"));
  }
  CHECK(tidb.read({"task", "why", "id:1"}).exit_code == 5);

  REQUIRE(tidb.asRoot({"schema", "install"}).exit_code == 0);
  CHECK_THAT(tidb.asRoot({"node", "ls"}).out, Contains("10.0.0.1:4000") && Contains("registered"));
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"task", "cancel", "id:1", "--yes"},
           {"task", "pause", "id:1"},
           {"task", "resume", "id:1"},
           {"task", "resolve", "id:1", "--retry"},
           {"task", "submit", "--type", "Example", "--meta", "{}", "--key", "mine"},
           {"task", "modify", "id:1", "--slots", "2"},
           {"task", "why", "id:1"},
           {"subtask", "cancel", "3", "--yes"},
           {"history", "gc", "--older-than", "1m", "--yes"},
           {"node", "cordon", "10.0.0.1:4000"},
           {"node", "uncordon", "10.0.0.1:4000"},
           {"node", "drain", "10.0.0.1:4000", "--wait"}}) {
    const auto refused = tidb.asRoot(words);
    INFO(words[0] << " " << words[1] << "\n" << refused.out << refused.err);
    CHECK(refused.exit_code == 5);
    CHECK_THAT(refused.err, Contains("live TiDB"));
  }
  CHECK(
      tidb.scalar("select group_concat(state order by id) from mysql.tidb_background_subtask") ==
      "succeed,running,pending"
  );
  CHECK(tidb.scalar("select group_concat(state order by id) from mysql.tidb_global_task") == "running,pending");
  CHECK_THAT(tidb.asRoot({"doctor"}).out, Contains("healthy"));
  CHECK(tidb.asRoot({"plugin", "ls"}).exit_code == 0);
}
