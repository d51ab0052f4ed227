// The least privileges that disttaskctl grants print gives are enough for the main paths, and are no more than that.
#include "private_server.hpp"
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>

using namespace disttask;
using namespace disttask::test;

namespace {

/// A cluster whose server knows three accounts of chance names by what grants print says; nobody works as root. On the
/// server of the other tests, or, where their account may make no others, on a MariaDB of its own. They have the
/// password of that account, since what takes one takes it for all.
class GrantedCluster {
 public:
  GrantedCluster() {
    if (!mayMakeAccounts()) {
      server_ = std::make_unique<PrivateServer>(std::vector<std::string>{});
      cluster_ = std::make_unique<SystemCluster>(server_->socket());
    }
    cluster_->installSchema();
    for (const char* role : {"daemon", "operator", "reader"}) {
      cluster_->execute("create user " + accountOf(role) + identified());
      const auto printed = cluster_->ctl({"grants", "print", "--role", role, "--user", nameOf(role), "--host", host()});
      if (printed.exit_code != 0) FAIL(printed.err);
      std::istringstream lines(printed.out);
      for (std::string line; std::getline(lines, line);) {
        if (line.rfind("--", 0) != 0) cluster_->execute(line.substr(0, line.find(';')));
      }
    }
  }
  GrantedCluster(const GrantedCluster&) = delete;
  GrantedCluster& operator=(const GrantedCluster&) = delete;
  ~GrantedCluster() {
    for (const char* role : {"daemon", "operator", "reader"}) {
      try {
        cluster_->execute("drop user if exists " + accountOf(role));
      } catch (const std::exception& e) {
        WARN("account " << nameOf(role) << " stays: " << e.what());
      }
    }
  }

  [[nodiscard]] SystemCluster& cluster() noexcept { return *cluster_; }
  /// A node whose daemon works as the daemon's account.
  NodeProcess startNode(const std::string& id, const std::string& more = "") {
    auto node = launch(id, nameOf("daemon"), more);
    if (!node.waitReady()) FAIL(node.notify->all() << node.process->errors());
    return node;
  }
  /// A node whose daemon works as `user`; does not wait for it.
  NodeProcess launch(const std::string& id, const std::string& user, const std::string& more = "") {
    const auto config = cluster_->writeConfig({.id = id, .more = more});
    auto text = readFile(config);
    const std::string store = "  user: " + settings().user + "\n";
    const auto at = text.find(store);
    REQUIRE(at != std::string::npos);
    text.replace(at, store.size(), "  user: " + user + "\n");
    const auto file = cluster_->folder().write(id + "-granted.yaml", text);
    NodeProcess node;
    node.notify = std::make_unique<NotifySocket>(cluster_->folder() / ("granted-" + id));
    node.process = std::make_unique<ChildProcess>(
        std::vector<std::string>{DISTTASKD, "--config", file.string()},
        std::map<std::string, std::string>{{"NOTIFY_SOCKET", node.notify->path()}, {"JOURNAL_STREAM", ""}}
    );
    return node;
  }
  CtlResult as(const std::string& role, std::vector<std::string> words) {
    auto address = cluster_->storeAddress();
    const std::string user = "//" + settings().user + "@";
    address.replace(address.find(user), user.size(), "//" + nameOf(role) + "@");
    words.insert(words.begin(), {"--store", address});
    return cluster_->ctl(words);
  }
  CtlResult expect(const std::string& role, const std::vector<std::string>& words, int exit_code) {
    auto result = as(role, words);
    std::string line = role;
    for (const auto& word : words) line += " " + word;
    INFO(line << "\n" << result.out << result.err);
    CHECK(result.exit_code == exit_code);
    return result;
  }
  std::string scalarAs(const std::string& role, const std::string& sql) {
    auto account = settings();
    account.user = nameOf(role);
    account.schema = cluster_->schema();
    try {
      sqlclient::Connection::open(account)->execute(sql);
      return "done";
    } catch (const Exception& e) {
      return e.error().code() == ErrorCode::kStoreNoPrivilege ? "refused" : e.error().message();
    }
  }
  /// Waits until a query on the schema gives this.
  bool waitFor(const std::string& sql, const std::string& value) {
    return eventually([&] { return cluster_->scalar(sql) == value; });
  }
  bool waitForState(const std::string& key, const std::string& state) {
    return waitFor("select state from tidb_global_task where task_key='" + key + "'", state);
  }
  /// The account of a role.
  [[nodiscard]] std::string nameOf(const std::string& role) const { return cluster_->schema() + "_" + role[0]; }

 private:
  [[nodiscard]] sqlclient::ConnectSettings settings() const { return cluster_->connectSettings(); }
  [[nodiscard]] std::string host() const {
    // A MariaDB has accounts without a name for the local host, which would come before one of any host.
    return settings().endpoints.front().socket.empty() ? "%" : "localhost";
  }
  [[nodiscard]] std::string accountOf(const std::string& role) const { return nameOf(role) + "@'" + host() + "'"; }
  [[nodiscard]] std::string identified() const {
    const auto account = settings();
    const auto password = account.password ? account.password() : std::string();
    return password.empty() ? "" : " identified by '" + password + "'";
  }
  [[nodiscard]] bool mayMakeAccounts() const {
    auto account = settings();
    const auto connection = sqlclient::Connection::open(account);
    try {
      connection->execute("create user " + accountOf("x") + identified());
      connection->execute("drop user " + accountOf("x"));
      return true;
    } catch (const Exception& e) {
      if (e.error().code() != ErrorCode::kStoreNoPrivilege) throw;
      return false;
    }
  }

  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SystemCluster> cluster_ = std::make_unique<SystemCluster>();
};

}  // namespace

TEST_CASE("The accounts of grants print are enough for the main paths of daemon, operator and reader") {
  GrantedCluster granted;
  auto& cluster = granted.cluster();
  auto a = granted.startNode("a");
  auto b = granted.startNode("b");
  const auto example = [](const std::string& key, const std::string& meta) {
    return std::vector<std::string>{"task", "submit", "--type", "example", "--key", key, "--meta", meta};
  };
  auto wait = example("k", R"({"subtasks": 20, "steps": 2, "retry_at": 3, "sleep_ms": 20})");
  wait.insert(wait.end(), {"--wait", "--timeout", "60s"});
  granted.expect("operator", wait, 0);
  auto dry = example("dry", R"({"subtasks": 5})");
  dry.insert(dry.end(), {"--dry-run", "--plugin", EXAMPLE_PLUGIN});
  granted.expect("operator", dry, 0);
  granted.expect("operator", example("long", R"({"subtasks": 2000, "sleep_ms": 200})"), 0);
  REQUIRE(granted.waitForState("long", "running"));
  granted.expect("operator", {"task", "modify", "long", "--slots", "2", "--wait", "--timeout", "30s"}, 0);
  granted.expect("operator", {"task", "pause", "long"}, 0);
  REQUIRE(granted.waitForState("long", "paused"));
  granted.expect("operator", {"task", "resume", "long"}, 0);
  granted.expect("operator", {"node", "drain", "b", "--wait", "--timeout", "60s"}, 0);
  granted.expect("operator", {"node", "uncordon", "b"}, 0);
  granted.expect("reader", {"node", "drain", "b", "--deadline", "1s"}, 77);
  granted.expect("operator", {"node", "drain", "b", "--deadline", "1s", "--wait", "--timeout", "60s"}, 0);
  granted.expect("operator", {"node", "uncordon", "b"}, 0);
  granted.expect("operator", {"node", "cordon", "b", "-m", "why"}, 0);
  granted.expect("operator", {"node", "uncordon", "b"}, 0);
  granted.expect("reader", {"task", "cancel", "long", "--yes"}, 77);
  granted.expect("operator", {"task", "cancel", "long", "--yes", "--wait", "--timeout", "60s"}, 6);
  granted.expect("operator", example("part", R"({"subtasks": 100, "sleep_ms": 60000})"), 0);
  REQUIRE(granted.waitForState("part", "running"));
  REQUIRE(granted.waitFor("select count(*)>5 from tidb_background_subtask where state='pending'", "1"));
  const auto pending = cluster.scalar("select max(id) from tidb_background_subtask where state='pending'");
  granted.expect("reader", {"subtask", "cancel", pending, "--yes"}, 77);
  granted.expect("operator", {"subtask", "cancel", pending, "--yes"}, 0);
  granted.expect("operator", {"task", "wait", "part", "--timeout", "60s"}, 6);
  auto failing = example("fails", R"({"subtasks": 3, "fail_at": 2})");
  failing.emplace_back("--manual-recovery");
  granted.expect("operator", failing, 0);
  REQUIRE(granted.waitForState("fails", "awaiting-resolution"));
  const auto failed = cluster.scalar("select min(id) from tidb_background_subtask where state='failed'");
  REQUIRE(granted.waitFor("select count(*) from disttask_run_log where subtask_id=" + failed, "1"));
  CHECK_THAT(granted.as("reader", {"subtask", "show", failed}).out, Catch::Contains("told to fail"));
  granted.expect("operator", {"task", "resolve", "fails", "--retry", "--yes"}, 0);
  REQUIRE(granted.waitForState("fails", "awaiting-resolution"));
  granted.expect("operator", {"task", "resolve", "fails", "--skip", "--yes"}, 0);
  granted.expect("operator", {"task", "wait", "fails", "--timeout", "60s"}, 0);
  auto reverting = example("reverts", R"({"subtasks": 3, "fail_at": 2})");
  reverting.emplace_back("--manual-recovery");
  granted.expect("operator", reverting, 0);
  REQUIRE(granted.waitForState("reverts", "awaiting-resolution"));
  granted.expect("reader", {"task", "resolve", "reverts", "--fail", "--yes"}, 77);
  granted.expect("operator", {"task", "resolve", "reverts", "--fail", "--yes"}, 0);
  granted.expect("reader", {"task", "wait", "reverts", "--timeout", "60s"}, 1);
  granted.expect("reader", {"task", "watch", "reverts"}, 1);
  // A node that is killed: the other one evicts it and takes its rows.
  granted.expect("operator", example("again", R"({"subtasks": 40, "sleep_ms": 200})"), 0);
  REQUIRE(granted.waitFor("select count(*)>0 from tidb_background_subtask where exec_id='b' and state='running'", "1"));
  b.process->kill(SIGKILL);
  granted.expect("operator", {"task", "wait", "again", "--timeout", "60s"}, 0);
  granted.expect("reader", {"task", "wait", "again"}, 0);
  granted.expect("reader", {"task", "watch", "again"}, 0);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"task", "ls", "--all"},
           {"task", "show", "k"},
           {"task", "subtasks", "k"},
           {"task", "events", "k"},
           {"task", "why", "again"},
           {"node", "ls"},
           {"node", "show", "a"},
           {"node", "events", "a"},
           {"plugin", "ls"},
           {"history", "ls"},
           {"top"},
           {"schema", "status"},
           {"doctor"}}) {
    granted.expect("reader", words, 0);
  }
  CHECK(a.stop() == 0);
  CHECK_THAT(a.process->errors(), !Catch::Contains("store_no_privilege"));
  CHECK_THAT(b.process->errors(), !Catch::Contains("store_no_privilege"));
}

TEST_CASE("The daemon's account may call hooks, move to history and forget there, and the operator's may clean up") {
  GrantedCluster granted;
  auto& cluster = granted.cluster();
  const auto trace = (cluster.folder() / "trace").string();
  const std::string plugins = std::string("plugins:\n  list: [") + EXAMPLE_PLUGIN + ", " + HOOKS_PLUGIN + "]\n";
  auto a = granted.startNode("a", "scheduler:\n  history_after: 0s\n  history_keep: 1h\n" + plugins);
  const auto submit = [&](const std::string& key, int fail_at, int exit_code) {
    const auto meta = R"({"trace": ")" + trace + R"(", "subtasks": 2, "fail_at": )" + std::to_string(fail_at) + "}";
    granted.expect(
        "operator",
        {"task", "submit", "--type", "hooks", "--key", key, "--meta", meta, "--wait", "--timeout", "60s"},
        exit_code
    );
  };
  submit("good", 0, 0);
  submit("bad", 1, 1);
  for (const char* hook : {"cleanup-succeeded", "revert", "cleanup-reverted"}) {
    CHECK(eventually([&] { return readFile(trace).find(std::string(hook) + " ") != std::string::npos; }));
  }
  REQUIRE(granted.waitFor("select count(*) from tidb_global_task_history", "2"));
  CHECK(cluster.scalar("select count(*) from tidb_global_task") == "0");
  CHECK_THAT(granted.expect("reader", {"history", "ls"}, 0).out, Catch::Contains("good") && Catch::Contains("bad"));
  REQUIRE(granted.waitFor("select count(*)>0 from tidb_background_subtask_history", "1"));

  // What is older than history_keep goes, of the one task.
  cluster.execute(
      "update tidb_background_subtask_history set state_update_time=1 where task_key=(select id from "
      "tidb_global_task_history where task_key='good')"
  );
  CHECK(granted.waitFor(
      "select count(*) from tidb_background_subtask_history where task_key=(select id from tidb_global_task_history "
      "where task_key='good')",
      "0"
  ));
  CHECK(cluster.scalar("select count(*) from tidb_background_subtask_history") == "2");

  // A node that is gone for good, without rows that name it, and what its tasks left in history.
  CHECK(a.stop() == 0);
  cluster.execute("update tidb_background_subtask_history set state_update_time=1");
  granted.expect("reader", {"history", "gc", "--older-than", "1m", "--yes"}, 77);
  granted.expect("operator", {"history", "gc", "--older-than", "1m", "--yes"}, 0);
  CHECK(cluster.scalar("select count(*) from tidb_background_subtask_history") == "0");
  granted.expect("reader", {"node", "forget", "a", "--yes"}, 77);
  granted.expect("operator", {"node", "forget", "a", "--yes"}, 0);
  CHECK(cluster.scalar("select count(*) from disttask_node") == "0");
  CHECK_THAT(a.process->errors(), !Catch::Contains("store_no_privilege"));
}

TEST_CASE("The operator's account may end the life of a node that is gone and forget it, a reader's may not") {
  GrantedCluster granted;
  auto& cluster = granted.cluster();
  // A life whose end nobody has noticed, and nobody schedules.
  cluster.execute("insert into disttask_node (exec_id, life, renewals, lease_ms) values ('gone', 5, 1, 1000)");
  cluster.addRunningTask("gone");
  const auto life = [&] { return cluster.scalar("select life from disttask_node where exec_id='gone'"); };
  granted.expect("reader", {"node", "forget", "gone", "--reassign", "--yes"}, 77);
  CHECK(life() == "5");
  granted.expect("operator", {"node", "forget", "gone", "--reassign", "--timeout", "1s", "--yes"}, 4);
  CHECK(life() == "0");
  cluster.execute("delete from tidb_background_subtask");
  granted.expect("operator", {"node", "forget", "gone", "--reassign", "--yes"}, 0);
  CHECK(life().empty());
}

TEST_CASE("disttaskd ends with 77 and one sentence when its account may read the store but not register a node") {
  GrantedCluster granted;
  const auto looker = granted.nameOf("reader");
  const auto node = granted.launch("a", looker);
  const auto end = node.process->wait();
  INFO(node.notify->all() << node.process->errors());
  REQUIRE(end);
  CHECK(end->exit_code == 77);
  CHECK_FALSE(node.notify->has("READY=1"));
  const auto said = node.process->errors();
  const auto last = said.substr(said.rfind("disttaskd: "));
  CHECK_THAT(
      last,
      Catch::Contains("INSERT") && Catch::Contains("'" + looker + "'@") && Catch::Contains("disttask_node") &&
          Catch::EndsWith("; disttaskctl grants print --role daemon shows the rights that the account needs\n")
  );
  CHECK(std::count(last.begin(), last.end(), '\n') == 1);
}

TEST_CASE("The accounts of grants print may do nothing that their role does not need") {
  GrantedCluster granted;
  CHECK(granted.scalarAs("daemon", "create table t (a int)") == "refused");
  CHECK(granted.scalarAs("daemon", "drop table disttask_plan") == "refused");
  CHECK(granted.scalarAs("daemon", "alter table disttask_plan add column x int") == "refused");
  CHECK(granted.scalarAs("daemon", "update disttask_schema set version=2") == "refused");
  CHECK(
      granted.scalarAs("daemon", "insert into tidb_global_task (task_key,type,state) values ('x','y','z')") == "refused"
  );
  CHECK(granted.scalarAs("operator", "update disttask_owner set life=0") == "refused");
  CHECK(granted.scalarAs("operator", "delete from tidb_global_task") == "refused");
  CHECK(granted.scalarAs("operator", "create table t (a int)") == "refused");
  for (const char* table : {"tidb_global_task", "tidb_background_subtask", "disttask_node", "disttask_event"})
    CHECK(granted.scalarAs("reader", std::string("delete from ") + table) == "refused");
  CHECK(granted.scalarAs("reader", "select count(*) from tidb_background_subtask_history") == "done");
  CHECK(granted.scalarAs("reader", "select count(*) from mysql.user") == "refused");
  // And the printed text names no password and takes no name that could end its quotes.
  const auto printed = granted.cluster().ctl({"grants", "print", "--role", "reader", "--user", "ann", "--schema", "s"});
  CHECK_THAT(printed.out, Catch::Contains("grant select on `s`.`tidb_global_task` to 'ann'@'%';"));
  CHECK(granted.cluster().ctl({"grants", "print", "--user", "a'b"}).exit_code == 2);
}
