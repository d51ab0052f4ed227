// Daemons of ours on the tables of a live TiDB: its scheduler plans and balances, we run, and the rows end as those
// that TiDB's own executor leaves, column by column.
#include "tidb_live.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <sstream>

using namespace disttask;
using namespace std::chrono_literals;
using Catch::Contains;
using test::eventually;
using test::LiveTiDb;

#define SKIP_WITHOUT_LIVE_TIDB()                                              \
  if (!LiveTiDb::isThere()) {                                                 \
    WARN("skipped: no live TiDB here, tests/run.sh --store tidb starts one"); \
    return;                                                                   \
  }

namespace {

/// The same task twice: one for our daemons, one for TiDB's own executor.
struct Pair {
  Pair(LiveTiDb& live, std::string task_name, const std::string& meta)
      : tidb(live),
        name(std::move(task_name)),
        ours(tidb.submit(name + "-ours", {.meta = meta})),
        theirs(tidb.submit(name + "-theirs", {.meta = meta, .ours = false})) {}
  void ask(const std::string& what) const {
    tidb.ask(what, name + "-ours");
    tidb.ask(what, name + "-theirs");
  }
  /// Waits until both are there, and compares all that is in their rows.
  void compareAs(const std::string& state) const {
    INFO(name);
    tidb.awaitState(ours, state);
    tidb.awaitState(theirs, state);
    CHECK(tidb.rowsOf(ours) == tidb.rowsOf(theirs));
  }
  LiveTiDb& tidb;
  const std::string name;
  const std::string ours;
  const std::string theirs;
};

std::string registerSql(const LiveTiDb& tidb) {
  return "select role from mysql.dist_framework_meta where host not like 'ours.test:%' and role='" + tidb.scope() + "'";
}

/// TiDB's own node in our scope, for as long as this lives: it gets subtasks beside our daemons.
class TiDbInScope {
 public:
  explicit TiDbInScope(const LiveTiDb& tidb) : tidb_(tidb) {
    tidb.execute("set global tidb_service_scope='" + tidb.scope() + "'");
    REQUIRE(eventually([&] { return tidb.scalar(registerSql(tidb)) == tidb.scope(); }));
  }
  TiDbInScope(const TiDbInScope&) = delete;
  TiDbInScope& operator=(const TiDbInScope&) = delete;
  ~TiDbInScope() { leave(); }
  /// TiDB's balancer moves then what it had, running rows too.
  void leave() const {
    tidb_.execute("set global tidb_service_scope=''");
    CHECK(eventually([&] { return tidb_.scalar(registerSql(tidb_)).empty(); }));
  }

 private:
  const LiveTiDb& tidb_;
};

/// An account on the server without a password; goes at the end.
class Account {
 public:
  Account(const LiveTiDb& tidb, std::string name) : tidb_(tidb), name_(std::move(name)) {
    tidb.execute("create user '" + name_ + "'@'%'");
  }
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;
  ~Account() { tidb_.execute("drop user '" + name_ + "'@'%'"); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  const LiveTiDb& tidb_;
  const std::string name_;
};

void checkRestored(const test::NodeProcess& node) {
  CHECK(eventually([&] {
    return node.process->errors().find("this node's row of dist_framework_meta was gone and is back") !=
           std::string::npos;
  }));
  CHECK_THAT(
      node.page("/metrics"),
      Contains("disttask_register_restored_total ") && !Contains("disttask_register_restored_total 0\n")
  );
}

}  // namespace

TEST_CASE("Tasks of a live TiDB end with the rows that its own executor leaves", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  const auto compare = [&](const std::string& name, const std::string& meta, const std::string& end) {
    const Pair pair(tidb, name, meta);
    pair.compareAs(end);
    INFO(name);
    CHECK(
        tidb.scalar(
            "select count(*) from mysql.tidb_background_subtask where ddl_physical_tid<>0 and task_key='" +
            pair.theirs + "'"
        ) == "0"
    );
  };
  compare("plain", "5", "succeed");
  compare("counts", R"({"n":4,"rows":7})", "succeed");
  compare("result", R"({"n":3,"edit":true})", "succeed");
  // The plan of step two changes the task's meta, and the run of that step must have been told.
  compare("meta", R"({"n":3,"edit":true,"rewrite":true,"note":"first"})", "succeed");
  compare("retry", R"({"n":3,"sleep_ms":50,"retry_at":2})", "succeed");
  compare("retry-once", R"({"n":3,"retry_at":3,"once":true})", "reverted");
  compare("fail", R"({"n":4,"fail_at":4})", "reverted");
  compare("fail-first", R"({"n":4,"fail_at":1,"sleep_ms":30000,"linger_ms":3000})", "reverted");
  CHECK(node.stop() == 0);
}

TEST_CASE("TiDB pauses, resumes and cancels what a daemon of ours runs", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  SECTION("paused in the middle, and resumed") {
    const Pair pair(tidb, "pause", R"({"n":3,"sleep_ms":8000})");
    tidb.awaitSubtask(pair.ours, "running");
    tidb.awaitSubtask(pair.theirs, "running");
    pair.ask("pause");
    pair.compareAs("paused");
    CHECK(tidb.count(pair.ours, "paused") == "3");
    pair.ask("resume");
    pair.compareAs("succeed");
  }
  SECTION("cancelled in the middle") {
    const Pair pair(tidb, "cancel", R"({"n":4,"sleep_ms":30000,"linger_ms":3000})");
    tidb.awaitSubtask(pair.ours, "running");
    tidb.awaitSubtask(pair.theirs, "running");
    pair.ask("cancel");
    pair.compareAs("reverted");
    CHECK(tidb.count(pair.ours, "canceled") == "4");
  }
  SECTION("cancelled while it is paused in TiDB, so not at all, then resumed") {
    const Pair pair(tidb, "paused-cancel", R"({"n":2,"sleep_ms":8000})");
    tidb.awaitSubtask(pair.ours, "running");
    tidb.awaitSubtask(pair.theirs, "running");
    pair.ask("pause");
    pair.compareAs("paused");
    pair.ask("cancel");
    pair.ask("resume");
    pair.compareAs("succeed");
  }
}

TEST_CASE("A meta that is modified while a daemon of ours runs the task reaches its next subtasks", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  const auto task = tidb.submit("modified", {.meta = R"({"n":12,"sleep_ms":1500,"edit":true,"note":"old"})"});
  tidb.awaitSubtask(task, "succeed");
  // As a TiDB that can modify tasks leaves the row.
  tidb.execute(
      R"(update mysql.tidb_global_task set meta='{"n":12,"sleep_ms":1500,"edit":true,"note":"new"}' where id=)" + task
  );
  tidb.awaitState(task, "succeed");
  const auto results = [&](const std::string& note) {
    return std::stoi(tidb.scalar(
        "select count(*) from (select meta from mysql.tidb_background_subtask where task_key='" + task +
        "' union all select meta from mysql.tidb_background_subtask_history where task_key='" + task +
        "') m where meta like '%done " + note + "%'"
    ));
  };
  CHECK(results("old") > 0);
  CHECK(results("new") > 0);
}

TEST_CASE("A task whose meta is modified ends with the rows that TiDB's own executor leaves", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  const auto modify = [&](const Pair& pair, const std::string& meta) {
    for (const auto& task : {pair.ours, pair.theirs})
      tidb.execute("update mysql.tidb_global_task set meta='" + meta + "' where id=" + task);
  };
  SECTION("while a subtask is under way") {
    const Pair pair(tidb, "modified-running", R"({"n":5,"sleep_ms":2000,"note":"old"})");
    tidb.awaitSubtask(pair.ours, "running");
    tidb.awaitSubtask(pair.theirs, "running");
    modify(pair, R"({"n":5,"sleep_ms":2000,"note":"new"})");
    pair.compareAs("succeed");
  }
  SECTION("while it is paused") {
    const Pair pair(tidb, "modified-paused", R"({"n":3,"sleep_ms":8000,"edit":true,"note":"old"})");
    tidb.awaitSubtask(pair.ours, "running");
    tidb.awaitSubtask(pair.theirs, "running");
    pair.ask("pause");
    pair.compareAs("paused");
    modify(pair, R"({"n":3,"sleep_ms":8000,"edit":true,"note":"new"})");
    pair.ask("resume");
    pair.compareAs("succeed");
    CHECK_THAT(tidb.rowsOf(pair.ours), Contains("done new") && !Contains("done old"));
  }
}

TEST_CASE("A daemon runs tasks of a live TiDB as an account with the rights of grants print", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const Account account(tidb, "daemon_" + tidb.scope());
  const auto rights = tidb.ctl({"grants", "print", "--role", "daemon", "--user", account.name(), "--host", "%"});
  INFO(rights.out << rights.err);
  REQUIRE(rights.exit_code == 0);
  std::istringstream lines(rights.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("grant ", 0) == 0) tidb.execute(line.substr(0, line.find(';')));
  }
  const auto node = tidb.startNodeAs(1, account.name());
  const Pair run(tidb, "as-daemon", R"({"n":3,"rows":7,"edit":true})");
  run.compareAs("succeed");
  const Pair failing(tidb, "as-daemon-fail", R"({"n":3,"fail_at":3})");
  failing.compareAs("reverted");
  tidb.execute("delete from mysql.dist_framework_meta where host='" + tidb.idOf(1) + "'");
  CHECK(eventually([&] { return tidb.isRegistered(1); }));
  CHECK(node.stop() == 0);
  CHECK_FALSE(tidb.isRegistered(1));
  CHECK_THAT(node.process->errors(), !Contains("store_no_privilege"));
}

TEST_CASE("A live TiDB's own tasks are read with SELECT on its five tables alone", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const Account account(tidb, "reader_" + tidb.scope());
  for (const auto* table :
       {"tidb_global_task",
        "tidb_global_task_history",
        "tidb_background_subtask",
        "tidb_background_subtask_history",
        "dist_framework_meta"})
    tidb.execute(std::string("grant select on mysql.") + table + " to '" + account.name() + "'@'%'");
  const auto read = [&](const std::vector<std::string>& words) {
    const auto result = tidb.ctlAs(account.name(), words);
    INFO(words[0] << " " << words.back() << "\n" << result.out << result.err);
    CHECK(result.exit_code == 0);
    return result.out;
  };
  // TiDB's own executor runs one to its end, and nobody another one.
  const auto done = tidb.submit("read", {.meta = R"({"n":3,"rows":7})", .ours = false});
  const auto key = tidb.keyOf("read");
  const auto waiting = tidb.submit("read-later", {.meta = R"({"n":1,"sleep_ms":60000})", .ours = false});
  tidb.awaitState(done, "succeed");
  tidb.awaitSubtask(waiting, "running");
  CHECK_THAT(read({"task", "ls", "--all"}), Contains(key) && Contains(tidb.keyOf("read-later")));
  CHECK_THAT(read({"task", "ls"}), Contains(tidb.keyOf("read-later")));
  CHECK_THAT(read({"task", "show", key}), Contains("succeed"));
  CHECK_THAT(read({"task", "show", "id:" + waiting, "-o", "json"}), Contains("\"running\""));
  CHECK(read({"task", "subtasks", "id:" + done, "-o", "name"}).size() > 8);
  static_cast<void>(read({"task", "wait", key}));
  const auto subtask = tidb.scalar("select id from mysql.tidb_background_subtask where task_key='" + waiting + "'");
  CHECK_THAT(read({"subtask", "show", subtask}), Contains("running"));
  CHECK_THAT(read({"node", "ls"}), Contains("registered"));
  CHECK(eventually(60s, [&] {
    return tidb.ctlAs(account.name(), {"history", "ls", "-o", "name"}).out.find(key) != std::string::npos;
  }));
  static_cast<void>(read({"history", "ls"}));
  CHECK_THAT(read({"top"}), Contains("scheduled by TiDB") && Contains(tidb.keyOf("read-later")));
  tidb.ask("cancel", "read-later");
  tidb.awaitState(waiting, "reverted");
}

TEST_CASE("A daemon beside a live TiDB that is killed goes on after its restart", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  auto node = tidb.startNode(1);
  const auto killAndRestart = [&] {
    node.process->kill(SIGKILL);
    REQUIRE(node.process->wait(10s));
    node = tidb.startNode(1);
  };
  SECTION("with a subtask that may run twice") {
    const Pair pair(tidb, "killed", R"({"n":3,"sleep_ms":3000})");
    tidb.awaitSubtask(pair.ours, "running");
    killAndRestart();
    pair.compareAs("succeed");
  }
  SECTION("with one that may not") {
    const Pair pair(tidb, "killed-once", R"({"n":3,"sleep_ms":30000,"once":true,"linger_ms":3000})");
    tidb.awaitSubtask(pair.ours, "running");
    tidb.awaitSubtask(pair.theirs, "running");
    killAndRestart();
    // TiDB's executor finds a row running that nobody runs when its own process was killed: here it is made.
    tidb.ask("pause", "killed-once-theirs");
    tidb.awaitState(pair.theirs, "paused");
    tidb.execute(
        "update mysql.tidb_background_subtask set state='running' where ordinal=1 and task_key='" + pair.theirs + "'"
    );
    tidb.ask("resume", "killed-once-theirs");
    pair.compareAs("reverted");
    CHECK(tidb.count(pair.ours, "failed") == "1");
  }
}

TEST_CASE("Two daemons beside a live TiDB share a task", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto first = tidb.startNode(1);
  const auto second = tidb.startNode(2);
  const Pair pair(tidb, "two", R"({"n":8,"sleep_ms":1000})");
  pair.compareAs("succeed");
  CHECK(tidb.countNodes(pair.ours, true) == "2");
  CHECK(tidb.countNodes(pair.ours, false) == "0");
}

TEST_CASE("What a daemon has that stops beside a live TiDB goes on elsewhere", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto first = tidb.startNode(1);
  const auto second = tidb.startNode(2);
  const Pair pair(tidb, "stopped", R"({"n":6,"sleep_ms":2500})");
  REQUIRE(eventually([&] { return tidb.countNodes(pair.ours, true) == "2" && tidb.count(pair.ours, "running") == "2"; })
  );
  CHECK(tidb.isRegistered(1));
  CHECK(first.stop() == 0);
  CHECK_FALSE(tidb.isRegistered(1));
  pair.compareAs("succeed");
  CHECK(tidb.isRegistered(2));
}

TEST_CASE(
    "doctor names a daemon beside a live TiDB that is gone for good, and node forget moves its subtasks",
    "[system][tidb]"
) {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto doctor = [&] {
    const auto seen = tidb.ctl({"doctor", "-o", "json"});
    INFO(seen.out << seen.err);
    return seen.out;
  };
  auto first = tidb.startNode(1);
  CHECK_THAT(doctor(), !Contains("node_silent") && !Contains("no_owner"));
  const auto refused = tidb.ctl({"node", "forget", tidb.idOf(1), "--reassign", "--yes"});
  CHECK(refused.exit_code == 5);
  CHECK_THAT(refused.err, Contains("lives: its process renewed its lease"));

  const Pair pair(tidb, "gone", R"({"n":6,"sleep_ms":1500})");
  tidb.awaitSubtask(pair.ours, "running");
  first.process->kill(SIGKILL);
  REQUIRE(first.process->wait(10s));
  CHECK_THAT(
      doctor(), Contains("node_silent") && Contains(tidb.idOf(1)) && Contains("node forget") && Contains("--reassign")
  );
  // With nobody to move them to, it says what keeps them and what can be done.
  const auto stays = tidb.ctl({"node", "forget", tidb.idOf(1), "--reassign", "--yes", "--timeout", "2s"});
  INFO(stays.out << stays.err);
  CHECK(stays.exit_code == 4);
  CHECK_THAT(stays.err, Contains("no other node is registered with scope '" + tidb.scope() + "'"));
  CHECK_FALSE(tidb.isRegistered(1));
  CHECK_THAT(doctor(), Contains("rows_of_dead_node") && Contains("--reassign"));

  const auto second = tidb.startNode(2);
  const auto moved = tidb.ctl({"node", "forget", tidb.idOf(1), "--reassign", "--yes"});
  INFO(moved.out << moved.err);
  CHECK(moved.exit_code == 0);
  pair.compareAs("succeed");
  CHECK(tidb.ctl({"node", "forget", tidb.idOf(1), "--yes"}).exit_code == 3);
}

TEST_CASE("TiDB's own executor runs a task together with two daemons of ours", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto first = tidb.startNode(1);
  const auto second = tidb.startNode(2);
  const std::string meta = R"({"n":12,"sleep_ms":1000})";
  const auto theirs = tidb.submit("alone", {.meta = meta, .ours = false});
  tidb.awaitState(theirs, "succeed");
  const TiDbInScope in_scope(tidb);
  const auto ours = tidb.submit("three", {.meta = meta});
  tidb.awaitState(ours, "succeed");
  CHECK(tidb.rowsOf(ours) == tidb.rowsOf(theirs));
  CHECK(tidb.countNodes(ours, true) == "2");
  CHECK(tidb.countNodes(ours, false) == "1");
  // What one of the three refuses ends what the others do.
  const auto failing = tidb.submit("three-fail", {.meta = R"({"n":9,"sleep_ms":400,"fail_at":9})"});
  tidb.awaitState(failing, "reverted");
  CHECK(tidb.count(failing, "failed") == "1");
  CHECK(tidb.count(failing, "running") == "0");
  CHECK(tidb.count(failing, "pending") == "0");
}

TEST_CASE("What TiDB's own executor has begun goes on here when TiDB moves it", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  // The one task for TiDB's node of our scope, the same one for its executor in its own scope.
  const auto submitOurs = [&](const std::string& name, const std::string& meta) {
    const auto task = tidb.submit(name, {.meta = meta});
    REQUIRE(eventually([&] { return tidb.countNodes(task, false) == "1" && tidb.count(task, "running") == "1"; }));
    CHECK(
        tidb.scalar(
            "select count(*) from mysql.tidb_background_subtask where task_key='" + task +
            "' and ddl_physical_tid is not null"
        ) == "0"
    );
    return task;
  };
  std::string ours;
  test::NodeProcess node;
  const auto move = [&](const std::string& name, const std::string& meta) {
    const TiDbInScope in_scope(tidb);
    ours = submitOurs(name, meta);
    node = tidb.startNode(1);
  };
  SECTION("one that may run twice") {
    const std::string meta = R"({"n":2,"sleep_ms":5000})";
    move("moved", meta);
    const auto theirs = tidb.submit("moved-theirs", {.meta = meta, .ours = false});
    tidb.awaitState(ours, "succeed");
    tidb.awaitState(theirs, "succeed");
    CHECK(tidb.rowsOf(ours) == tidb.rowsOf(theirs));
    CHECK_THAT(node.process->errors(), Contains("subtask was begun by TiDB's own executor, it is pending again"));
  }
  SECTION("one that may not") {
    move("moved-once", R"({"n":2,"sleep_ms":30000,"once":true,"linger_ms":3000})");
    tidb.awaitState(ours, "reverted");
    CHECK(tidb.count(ours, "failed") == "1");
    CHECK(tidb.count(ours, "canceled") == "1");
    CHECK_THAT(tidb.rowsOf(ours), Contains("subtask in running state and is not idempotent"));
  }
  SECTION("one of a task that is paused before it can go on") {
    const std::string meta = R"({"n":2,"sleep_ms":8000})";
    const auto theirs = tidb.submit("moved-pause-theirs", {.meta = meta, .ours = false});
    tidb.awaitSubtask(theirs, "running");
    tidb.ask("pause", "moved-pause-theirs");
    tidb.awaitState(theirs, "paused");
    {
      const TiDbInScope in_scope(tidb);
      ours = submitOurs("moved-pause", meta);
      tidb.ask("pause", "moved-pause");
      tidb.awaitState(ours, "paused");
    }
    // As the balancer leaves the rows of a node that is gone.
    tidb.execute(
        "update mysql.tidb_background_subtask set state='running', exec_id='" + tidb.idOf(1) +
        "' where ordinal=1 and "
        "task_key='" +
        ours + "'"
    );
    tidb.execute("update mysql.tidb_global_task set state='pausing' where id=" + ours);
    node = tidb.startNode(1);
    tidb.awaitState(ours, "paused");
    CHECK(tidb.count(ours, "paused") == "2");
    CHECK(tidb.rowsOf(ours) == tidb.rowsOf(theirs));
    tidb.ask("cancel", "moved-pause");
    tidb.ask("resume", "moved-pause-theirs");
    tidb.awaitState(theirs, "succeed");
  }
}

TEST_CASE(
    "Subtasks of a type that a daemon beside TiDB does not have are skipped, counted and cancelled", "[system][tidb]"
) {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  const auto other = tidb.submit("other", {.meta = "3", .type = "PlannedOnly"});
  tidb.awaitSubtask(other, "pending");
  REQUIRE(eventually([&] {
    return node.process->errors().find("task type is not offered here, task skipped") != std::string::npos;
  }));
  CHECK_THAT(
      node.page("/metrics"),
      Contains("disttask_tasks_unknown_type_total ") && !Contains("disttask_tasks_unknown_type_total 0\n")
  );
  // Others go on beside it.
  const Pair pair(tidb, "beside", "3");
  pair.compareAs("succeed");
  CHECK(tidb.count(other, "pending") == "3");
  tidb.ask("cancel", "other");
  tidb.awaitState(other, "reverted");
  CHECK(tidb.count(other, "canceled") == "3");
}

TEST_CASE("A register row that TiDB deletes is back within a poll", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  LiveTiDb tidb;
  const auto node = tidb.startNode(1);
  REQUIRE(tidb.isRegistered(1));
  tidb.execute("delete from mysql.dist_framework_meta where host='" + tidb.idOf(1) + "'");
  CHECK(eventually(4s, [&] { return tidb.isRegistered(1); }));
  checkRestored(node);
}

TEST_CASE("A daemon outlives the restart of its TiDB, which deletes its register row", "[system][tidb]") {
  SKIP_WITHOUT_LIVE_TIDB();
  const auto* const script = std::getenv("DISTTASK_TEST_SERVER");
  REQUIRE(script != nullptr);
  const test::OwnTiDb own(script);
  LiveTiDb tidb(own);
  // Longer than the restart takes: its runs are cancelled, the process stays.
  const auto node = tidb.startNode(1);
  const auto before = tidb.submit("before", {.meta = R"({"n":6,"sleep_ms":2000})"});
  tidb.awaitSubtask(before, "running");
  own.stop();
  own.start();
  tidb.awaitState(before, "succeed");
  CHECK(tidb.count(before, "succeed") == "7");
  checkRestored(node);
  const Pair pair(tidb, "after", "4");
  pair.compareAs("succeed");
  CHECK(tidb.isRegistered(1));
  CHECK(node.stop() == 0);
}
