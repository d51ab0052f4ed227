// store.schema: mysql on a MariaDB that has the tables of a TiDB, where the test plays TiDB's scheduler: what a daemon
// refuses at its start, what it does on the tables of each version, and with which rights. The live one is in
// tidb_live_test.cpp.
#include "private_server.hpp"
#include "system_cluster.hpp"

#include "../db/mysql_schema/dxf_tables.hpp"
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <sstream>

using namespace disttask;
using namespace disttask::test;
using Catch::Contains;

namespace {

constexpr const char* kNode = "db-7:7001";

/// A server with the tables of a TiDB in schema `mysql`; nobody schedules.
class PlayedTiDb {
 public:
  explicit PlayedTiDb(DxfVersion version) : cluster_(server_.socket()) {
    cluster_.makeDatabase();
    for (const auto& sql : dxfTablesSql(version, "mysql.")) cluster_.execute(sql);
  }

  [[nodiscard]] const SystemCluster& cluster() const noexcept { return cluster_; }
  [[nodiscard]] const std::string& side() const noexcept { return cluster_.schema(); }
  /// Returns the settings of a node, in which `from` became `to`.
  [[nodiscard]] std::string settings(const std::string& from = {}, const std::string& to = {}) const {
    auto text = readFile(cluster_.writeConfig({.id = kNode, .slots = 8, .beside_tidb = "ext"}));
    if (from.empty()) return text;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  }
  [[nodiscard]] std::string file(const std::string& text) const {
    return cluster_.folder().write("node.yaml", text).string();
  }
  [[nodiscard]] CtlResult ctl(std::vector<std::string> words, const std::string& config) const {
    words.insert(words.begin(), {DISTTASKCTL, "--config", config});
    return runProgram(words, {{"DISTTASK_STORE", ""}, {"DISTTASK_PASSWORD", ""}});
  }
  void install() const {
    const auto installed = ctl({"schema", "install"}, file(settings()));
    if (installed.exit_code != 0) FAIL(installed.err);
  }
  NodeProcess start(const std::string& text) const {
    NodeProcess node;
    node.notify = std::make_unique<NotifySocket>(cluster_.folder() / "notify");
    node.process = std::make_unique<ChildProcess>(
        std::vector<std::string>{DISTTASKD, "--config", file(text)},
        std::map<std::string, std::string>{{"NOTIFY_SOCKET", node.notify->path()}, {"JOURNAL_STREAM", ""}}
    );
    return node;
  }
  NodeProcess startReady(const std::string& text) const {
    auto node = start(text);
    if (!node.waitReady()) FAIL(node.notify->all() << node.process->errors());
    return node;
  }
  void addTask(int id, const std::string& state, const std::string& type = "Example") const {
    cluster_.execute(fmt::format(
        "insert into mysql.tidb_global_task (id, task_key, type, state, priority, create_time, meta, concurrency, "
        "step, target_scope) values ({0}, 'key-{0}', '{1}', '{2}', 512, current_timestamp(), '{{}}', 2, 1, 'ext')",
        id,
        type,
        state
    ));
  }
  void addSubtask(int task, int ordinal, const std::string& meta, const std::string& node = kNode) const {
    cluster_.execute(fmt::format(
        "insert into mysql.tidb_background_subtask (id, step, task_key, type, exec_id, state, checkpoint, concurrency, "
        "create_time, meta, ordinal, summary) values ({}, 1, '{}', 1, '{}', 'pending', '{{}}', 2, "
        "current_timestamp(), '{}', {}, '{{}}')",
        task * 100 + ordinal,
        task,
        node,
        meta,
        ordinal
    ));
  }
  [[nodiscard]] std::string state(int task, int ordinal) const {
    return cluster_.scalar(
        fmt::format("select state from mysql.tidb_background_subtask where id={}", task * 100 + ordinal)
    );
  }
  void awaitState(int task, int ordinal, const std::string& wanted) const {
    if (eventually([&] { return state(task, ordinal) == wanted; })) return;
    FAIL("subtask " << ordinal << " of task " << task << " is " << state(task, ordinal) << ", not " << wanted);
  }

 private:
  PrivateServer server_{std::vector<std::string>{}};
  SystemCluster cluster_;
};

/// The sentence with which a daemon ends.
void expectRefusal(const PlayedTiDb& tidb, const std::string& text, int exit_code, const std::string& sentence) {
  INFO(text);
  const auto node = tidb.start(text);
  const auto end = node.process->wait();
  REQUIRE(end);
  INFO(node.process->errors());
  CHECK(end->exit_code == exit_code);
  CHECK_THAT(node.process->errors(), Contains(sentence));
  CHECK(tidb.cluster().scalar("select count(*) from mysql.dist_framework_meta") == "0");
}

}  // namespace

TEST_CASE("A daemon beside a live TiDB refuses each broken rule at its start") {
  const PlayedTiDb tidb(DxfVersion::k85);
  expectRefusal(tidb, tidb.settings(), 76, "run `disttaskctl schema install`");
  tidb.install();
  const auto execute = [&](const std::string& sql) { tidb.cluster().execute(sql); };
  SECTION("by its settings") {
    expectRefusal(
        tidb,
        tidb.settings() + "scheduler: {enabled: true}\n",
        78,
        "scheduler.enabled: value 'true', expected false: TiDB's own scheduler plans and balances, since store.schema "
        "is mysql"
    );
    expectRefusal(tidb, tidb.settings("scope: ext", "scope: ''"), 78, "node.scope: value ''");
    expectRefusal(
        tidb,
        tidb.settings("scope: ext", "scope: background"),
        78,
        "node.scope: value 'background', expected another one: TiDB gives such nodes its own imports and indexes"
    );
    expectRefusal(
        tidb,
        tidb.settings("scope: ext", "scope: a.b"),
        78,
        "node.scope: value 'a.b', expected 1 to 64 letters, digits, '-' and '_', as tidb_service_scope"
    );
    expectRefusal(
        tidb,
        tidb.settings(kNode, "db-7"),
        78,
        "node.id: value 'db-7', expected HOST:PORT as TiDB names its nodes, since store.schema is mysql"
    );
    expectRefusal(
        tidb,
        tidb.settings("side_schema: " + tidb.side(), "side_schema: mysql"),
        78,
        "store.side_schema: value 'mysql', expected the name of a schema for the tables of disttask"
    );
  }
  SECTION("by the schema of the side tables") {
    execute("create table `" + tidb.side() + "`.tidb_global_task (id int)");
    expectRefusal(
        tidb, tidb.settings(), 76, "has a table tidb_global_task, so it serves tasks of its own; name another"
    );
  }
  SECTION("by a table that is missing") {
    execute("drop table mysql.tidb_background_subtask_history");
    expectRefusal(
        tidb, tidb.settings(), 76, "schema 'mysql' has no table tidb_background_subtask_history: expected the tables"
    );
  }
  SECTION("by a column that is missing") {
    execute("alter table mysql.tidb_global_task drop column target_scope");
    expectRefusal(tidb, tidb.settings(), 76, "schema 'mysql' has a table tidb_global_task without column target_scope");
  }
  SECTION("by an index that is missing") {
    execute("alter table mysql.tidb_background_subtask drop index uk_task_key_step_ordinal");
    expectRefusal(
        tidb,
        tidb.settings(),
        76,
        "schema 'mysql' has a table tidb_background_subtask without index uk_task_key_step_ordinal"
    );
  }
  CHECK(
      tidb.cluster().scalar(
          "select count(*) from information_schema.tables where table_schema='mysql' and table_name like 'disttask%'"
      ) == "0"
  );
}

TEST_CASE("A daemon serves the tables of each version of TiDB, as an account with the rights of grants print") {
  const auto version = GENERATE(DxfVersion::k81, DxfVersion::k85, DxfVersion::kNewer);
  const PlayedTiDb tidb(version);
  tidb.install();
  const auto rights = tidb.ctl({"grants", "print", "--host", "localhost"}, tidb.file(tidb.settings()));
  REQUIRE(rights.exit_code == 0);
  for (const char* role : {"daemon", "operator", "reader"})
    tidb.cluster().execute(std::string("create user disttask_") + role + "@localhost");
  std::istringstream lines(rights.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("--", 0) != 0) tidb.cluster().execute(line.substr(0, line.find(';')));
  }
  const auto as = [&](const std::string& role) { return tidb.settings("user: root", "user: disttask_" + role); };
  const auto ctl = [&](const std::string& role, const std::vector<std::string>& words) {
    return tidb.ctl(words, tidb.cluster().folder().write(role + ".yaml", as(role)).string());
  };

  auto node = tidb.startReady(as("daemon"));
  tidb.addTask(1, "running");
  tidb.addSubtask(1, 1, R"({"i":0})");
  tidb.addSubtask(1, 2, R"({"i":1,"trouble":"retry"})");
  tidb.addSubtask(1, 4, R"({"i":3})", "other:4000");
  tidb.awaitState(1, 1, "succeed");
  tidb.awaitState(1, 2, "succeed");
  tidb.addSubtask(1, 3, R"({"i":2,"sleep_ms":60000})");
  tidb.awaitState(1, 3, "running");
  // A killed process finds its row again.
  node.process->kill(SIGKILL);
  REQUIRE(node.process->wait());
  node = tidb.startReady(as("daemon"));
  tidb.cluster().execute("update mysql.tidb_global_task set state='pausing' where id=1");
  tidb.awaitState(1, 3, "paused");
  // As TiDB resumes: again and again, until no row is paused any more; a node may pause once more meanwhile.
  tidb.cluster().execute("update mysql.tidb_global_task set state='resuming' where id=1");
  REQUIRE(eventually([&] {
    tidb.cluster().execute(
        "update mysql.tidb_background_subtask set state='pending', meta='{\"i\":2}' where id=103 and state='paused'"
    );
    tidb.cluster().execute("update mysql.tidb_global_task set state='running' where id=1");
    return tidb.state(1, 3) == "succeed";
  }));
  tidb.addSubtask(1, 5, R"({"i":4,"trouble":"fail"})");
  tidb.awaitState(1, 5, "failed");
  CHECK(tidb.state(1, 4) == "pending");
  // A type that is not ours is left alone, and its rows are cancelled with their task.
  tidb.addTask(2, "running", "backfill");
  tidb.addSubtask(2, 1, "{}");
  REQUIRE(eventually([&] {
    return node.process->errors().find("task type is not offered here, task skipped") != std::string::npos;
  }));
  CHECK(tidb.state(2, 1) == "pending");
  tidb.cluster().execute("update mysql.tidb_global_task set state='reverting' where id=2");
  tidb.awaitState(2, 1, "canceled");
  // TiDB deletes register rows of hosts that it does not know.
  tidb.cluster().execute("delete from mysql.dist_framework_meta");
  REQUIRE(eventually([&] { return tidb.cluster().scalar("select count(*) from mysql.dist_framework_meta") == "1"; }));

  for (const auto& words : std::vector<std::vector<std::string>>{
           {"task", "ls", "--all"},
           {"task", "show", "key-1"},
           {"task", "subtasks", "key-1"},
           {"node", "ls"},
           {"node", "show", kNode},
           {"schema", "status"}}) {
    const auto shown = ctl("reader", words);
    INFO(words[1] << shown.err);
    CHECK(shown.exit_code == 0);
  }
  const auto doctor = ctl("reader", {"doctor", "--observe", "0s", "-o", "json"});
  INFO(doctor.out);
  CHECK_THAT(doctor.out, !Contains("missing_right") && !Contains("no_owner") && !Contains("schema_unfit"));
  const auto daemon_rights = ctl("daemon", {"doctor", "--role", "daemon", "--observe", "0s", "-o", "json"});
  CHECK_THAT(daemon_rights.out, !Contains("missing_right"));
  CHECK_THAT(
      ctl("reader", {"doctor", "--role", "operator", "--observe", "0s", "-o", "json"}).out, Contains("missing_right")
  );
  CHECK(ctl("operator", {"node", "cordon", kNode}).exit_code != 0);
  CHECK(node.stop() == 0);
  CHECK(tidb.cluster().scalar("select count(*) from mysql.dist_framework_meta") == "0");
  CHECK(ctl("operator", {"node", "forget", kNode, "--yes"}).exit_code == 0);
  CHECK_THAT(node.process->errors(), !Contains("store_no_privilege"));
}
