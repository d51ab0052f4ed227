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
    REQUIRE(text.find(from) != std::string::npos);
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
    return text;
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
    const auto name = fmt::format("node-{}", ++num_started_);
    node.notify = std::make_unique<NotifySocket>(cluster_.folder() / (name + ".notify"));
    node.process = std::make_unique<ChildProcess>(
        std::vector<std::string>{DISTTASKD, "--config", cluster_.folder().write(name + ".yaml", text).string()},
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
  /// A row that has begun has no run token: as TiDB's own executor leaves it.
  void addSubtask(
      int task,
      int ordinal,
      const std::string& meta,
      const std::string& node = kNode,
      const std::string& state = "pending"
  ) const {
    cluster_.execute(fmt::format(
        "insert into mysql.tidb_background_subtask (id, step, task_key, type, exec_id, state, checkpoint, concurrency, "
        "create_time, start_time, state_update_time, meta, ordinal, summary) values ({}, 1, '{}', 1, '{}', '{}', "
        "'{{}}', 2, current_timestamp(), {}, {}, '{}', {}, '{{}}')",
        task * 100 + ordinal,
        task,
        node,
        state,
        state == "pending" ? "null" : "1700000000",
        state == "pending" ? "null" : "1700000000",
        meta,
        ordinal
    ));
  }
  /// Returns rows of one of TiDB's tables whole, ordered.
  [[nodiscard]] std::string rowsOf(const std::string& table, const std::string& where = "true") const {
    std::string line;
    for (const auto& column : cluster_.column(
             "select column_name from information_schema.columns where table_schema='mysql' and table_name='" + table +
             "' order by ordinal_position"
         )) {
      line += (line.empty() ? "" : ", ") + ("coalesce(hex(`" + column + "`),'null')");
    }
    REQUIRE_FALSE(line.empty());
    std::string rows;
    const auto query =
        "select concat_ws(' ', " + line + ") as r from mysql." + table + " where " + where + " order by r";
    for (const auto& row : cluster_.column(query)) rows += row + "\n";
    return rows;
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
  mutable int num_started_ = 0;
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
        "node.scope: value 'a.b', expected 1 to 64 small letters, digits, '-' and '_', as tidb_service_scope"
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
  SECTION("by the name of its schema, in whatever case") {
    expectRefusal(
        tidb,
        tidb.settings("schema: mysql", "schema: MySQL") + "scheduler: {enabled: true}\n",
        78,
        "since store.schema is mysql"
    );
    expectRefusal(
        tidb,
        tidb.settings("side_schema: " + tidb.side(), "side_schema: MYSQL"),
        78,
        "store.side_schema: value 'mysql', expected the name of a schema for the tables of disttask"
    );
  }
  SECTION("by an id that TiDB has") {
    execute(
        std::string("insert into mysql.dist_framework_meta (host, role, cpu_count) values ('") + kNode + "','',16)"
    );
    const auto node = tidb.start(tidb.settings());
    const auto end = node.process->wait();
    REQUIRE(end);
    CHECK(end->exit_code == 78);
    CHECK_THAT(
        node.process->errors(),
        Contains(
            std::string("node.id: value '") + kNode +
            "', expected another one: dist_framework_meta of schema 'mysql' has that host with role '', and no node of "
            "ours had this id before"
        )
    );
    CHECK(tidb.cluster().scalar("select concat(role, cpu_count) from mysql.dist_framework_meta") == "16");
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
  SECTION("by an index of other columns") {
    execute(
        "alter table mysql.tidb_background_subtask drop index uk_task_key_step_ordinal, add unique key "
        "uk_task_key_step_ordinal (task_key, ordinal)"
    );
    expectRefusal(
        tidb,
        tidb.settings(),
        76,
        "schema 'mysql' has a table tidb_background_subtask whose index uk_task_key_step_ordinal is not unique on "
        "(task_key, step, ordinal)"
    );
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
  // As TiDB does it: paused once no row is pending or running, then the rows while it resumes, then running, once.
  tidb.cluster().execute("update mysql.tidb_global_task set state='paused' where id=1");
  tidb.cluster().execute("update mysql.tidb_global_task set state='resuming' where id=1");
  tidb.cluster().execute(
      "update mysql.tidb_background_subtask set state='pending', meta='{\"i\":2}' where id=103 and state='paused'"
  );
  tidb.cluster().execute("update mysql.tidb_global_task set state='running' where id=1");
  tidb.awaitState(1, 3, "succeed");
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
  CHECK_THAT(node.page("/metrics"), !Contains("disttask_tasks_unknown_type_total 0\n"));
  CHECK_THAT(node.page("/metrics"), Contains("disttask_register_restored_total 0\n"));
  tidb.cluster().execute("update mysql.tidb_global_task set state='reverting' where id=2");
  tidb.awaitState(2, 1, "canceled");
  // TiDB deletes register rows of hosts that it does not know.
  tidb.cluster().execute("delete from mysql.dist_framework_meta");
  REQUIRE(eventually([&] { return tidb.cluster().scalar("select count(*) from mysql.dist_framework_meta") == "1"; }));
  CHECK(eventually([&] {
    return node.page("/metrics").find("disttask_register_restored_total 1\n") != std::string::npos;
  }));
  CHECK_THAT(node.process->errors(), Contains("this node's row of dist_framework_meta was gone and is back"));

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

TEST_CASE("What TiDB's own executor has begun goes on, fails or pauses here as it would there, in each version") {
  const auto version = GENERATE(DxfVersion::k81, DxfVersion::k85, DxfVersion::kNewer);
  const PlayedTiDb tidb(version);
  tidb.install();
  // As TiDB's balancer moves the rows of a node that is gone: as they are.
  tidb.addTask(1, "running");
  tidb.addSubtask(1, 1, R"({"i":0})", kNode, "running");
  tidb.addSubtask(1, 2, R"({"i":1,"once":true})", kNode, "running");
  tidb.addTask(2, "pausing");
  tidb.addSubtask(2, 1, R"({"i":0})", kNode, "running");
  tidb.addSubtask(2, 2, R"({"i":1,"once":true})", kNode, "running");
  tidb.addTask(3, "running", "backfill");
  tidb.addSubtask(3, 1, "{}", kNode, "running");
  tidb.addSubtask(3, 2, R"({"i":1,"once":true})", kNode, "running");
  tidb.addTask(4, "pausing", "backfill");
  tidb.addSubtask(4, 1, "{}", kNode, "running");
  const auto foreign = tidb.rowsOf("tidb_background_subtask", "task_key='3'");
  const auto node = tidb.startReady(tidb.settings());
  tidb.awaitState(1, 1, "succeed");
  tidb.awaitState(1, 2, "failed");
  for (const auto* row : {"201", "202", "401"}) {
    INFO(row);
    const std::string columns = "concat(state, start_time, state_update_time, ddl_physical_tid is null, error is null)";
    CHECK(eventually([&] {
      return tidb.cluster().scalar("select " + columns + " from mysql.tidb_background_subtask where id=" + row) ==
             "paused1700000000170000000011";
    }));
  }
  CHECK(
      tidb.cluster().scalar("select concat(start_time, end_time is null, ddl_physical_tid is null, error like "
                            "'%\"subtask in running state "
                            "and is not idempotent\"%') from mysql.tidb_background_subtask where id=102"
      ) == "1700000000111"
  );
  // Another subtask has come and gone meanwhile, so the foreign rows were passed by.
  tidb.addSubtask(1, 3, R"({"i":2})");
  tidb.awaitState(1, 3, "succeed");
  CHECK(tidb.rowsOf("tidb_background_subtask", "task_key='3'") == foreign);
  CHECK(tidb.cluster().scalar("select count(*) from `" + tidb.side() + "`.disttask_attempt") == "0");
  // Moved here while its task runs here already.
  tidb.addSubtask(1, 4, R"({"i":3})", kNode, "running");
  tidb.awaitState(1, 4, "succeed");
  CHECK(node.stop() == 0);
}

TEST_CASE("Daemons beside a live TiDB leave every row that is not theirs as it is") {
  const PlayedTiDb tidb(GENERATE(DxfVersion::k81, DxfVersion::k85, DxfVersion::kNewer));
  tidb.install();
  const std::string second_node = "db-8:7001";
  const auto addAll = [&](int task, const std::string& node, int first) {
    int ordinal = first;
    for (const auto* state : {"pending", "running", "paused", "succeed", "failed", "canceled"})
      tidb.addSubtask(task, ++ordinal, "{}", node, state);
  };
  tidb.addTask(1, "running");
  tidb.addTask(2, "pausing");
  tidb.addTask(3, "reverting");
  tidb.addTask(4, "running", "backfill");
  tidb.addTask(5, "modifying");
  for (int task = 1; task <= 5; ++task) addAll(task, "10.0.0.1:4000", 20);
  tidb.addSubtask(1, 1, R"({"i":0})");
  tidb.addSubtask(1, 2, R"({"i":1,"sleep_ms":60000})");
  tidb.addSubtask(1, 3, R"({"i":2,"trouble":"retry"})", second_node);
  tidb.addSubtask(1, 4, R"({"i":3,"trouble":"fail"})", second_node);
  tidb.addSubtask(1, 5, R"({"i":4})", second_node, "running");
  tidb.addSubtask(2, 1, R"({"i":0})");
  tidb.addSubtask(3, 1, R"({"i":0})", second_node);
  const auto execute = [&](const std::string& sql) { tidb.cluster().execute(sql); };
  execute(
      "insert into mysql.dist_framework_meta (host, role, cpu_count) values ('10.0.0.1:4000','',8),"
      "('10.0.0.2:4000','background',16)"
  );
  execute(
      "insert into mysql.tidb_global_task_history (id, task_key, type, state) values (9, 'old', 'Example', 'succeed')"
  );
  execute(
      "insert into mysql.tidb_background_subtask_history (id, step, task_key, state, checkpoint, ordinal) values "
      "(901, 1, '9', 'succeed', '{}', 1)"
  );
  const std::string ours = "in ('" + std::string(kNode) + "','" + second_node + "')";
  const auto others = [&] {
    return tidb.rowsOf("tidb_global_task") + tidb.rowsOf("tidb_global_task_history") +
           tidb.rowsOf("tidb_background_subtask", "exec_id not " + ours) +
           tidb.rowsOf("tidb_background_subtask_history") + tidb.rowsOf("dist_framework_meta", "host not " + ours);
  };
  const auto before = others();

  auto first = tidb.startReady(tidb.settings());
  const auto second = tidb.startReady(tidb.settings(kNode, second_node));
  tidb.awaitState(1, 1, "succeed");
  tidb.awaitState(1, 3, "succeed");
  tidb.awaitState(1, 4, "failed");
  tidb.awaitState(1, 5, "succeed");
  tidb.awaitState(2, 1, "paused");
  tidb.awaitState(3, 1, "canceled");
  tidb.awaitState(1, 2, "running");
  const auto token = [&] {
    return tidb.cluster().scalar("select ddl_physical_tid from mysql.tidb_background_subtask where id=102");
  };
  const auto of_the_dead = token();
  first.process->kill(SIGKILL);
  REQUIRE(first.process->wait());
  first = tidb.startReady(tidb.settings());
  REQUIRE(eventually([&] { return token() != of_the_dead; }));
  tidb.awaitState(1, 2, "running");
  CHECK(first.stop() == 0);
  CHECK(tidb.state(1, 2) == "pending");
  CHECK(second.stop() == 0);
  CHECK(others() == before);
  CHECK(tidb.cluster().scalar("select count(*) from mysql.dist_framework_meta where host " + ours) == "0");
}
