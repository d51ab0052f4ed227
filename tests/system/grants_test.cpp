// The least privileges that disttaskctl grants print gives are enough for the main paths, and are no more than that.
#include "private_server.hpp"
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>

using namespace disttask;
using namespace disttask::test;

namespace {

/// A cluster whose server knows the three accounts by what grants print says; nobody works as root.
class GrantedCluster {
 public:
  GrantedCluster() : cluster_(server_.socket()) {
    cluster_.installSchema();
    for (const char* role : {"daemon", "operator", "reader"})
      cluster_.execute(std::string("create user disttask_") + role + "@localhost");
    const auto printed = cluster_.ctl({"grants", "print", "--host", "localhost"});
    if (printed.exit_code != 0) FAIL(printed.err);
    std::istringstream lines(printed.out);
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("--", 0) != 0) cluster_.execute(line.substr(0, line.find(';')));
    }
  }

  [[nodiscard]] SystemCluster& cluster() noexcept { return cluster_; }
  /// A node whose daemon works as disttask_daemon.
  NodeProcess startNode(const std::string& id, const std::string& more = "") {
    auto node = launch(id, "disttask_daemon", more);
    if (!node.waitReady()) FAIL(node.notify->all() << node.process->errors());
    return node;
  }
  /// A node whose daemon works as `user`; does not wait for it.
  NodeProcess launch(const std::string& id, const std::string& user, const std::string& more = "") {
    const auto config = cluster_.writeConfig({.id = id, .more = more});
    auto text = readFile(config);
    const std::string root = "  user: root\n";
    const auto at = text.find(root);
    REQUIRE(at != std::string::npos);
    text.replace(at, root.size(), "  user: " + user + "\n");
    const auto file = cluster_.folder().write(id + "-granted.yaml", text);
    NodeProcess node;
    node.notify = std::make_unique<NotifySocket>(cluster_.folder() / ("granted-" + id));
    node.process = std::make_unique<ChildProcess>(
        std::vector<std::string>{DISTTASKD, "--config", file.string()},
        std::map<std::string, std::string>{{"NOTIFY_SOCKET", node.notify->path()}, {"JOURNAL_STREAM", ""}}
    );
    return node;
  }
  CtlResult as(const std::string& role, std::vector<std::string> words) {
    words.insert(
        words.begin(),
        {"--store", "mysql://disttask_" + role + "@localhost/" + cluster_.schema() + "?socket=" + server_.socket()}
    );
    return cluster_.ctl(words);
  }
  void expect(const std::string& role, const std::vector<std::string>& words, int exit_code) {
    const auto result = as(role, words);
    std::string line = role;
    for (const auto& word : words) line += " " + word;
    INFO(line << "\n" << result.out << result.err);
    CHECK(result.exit_code == exit_code);
  }
  std::string scalarAs(const std::string& role, const std::string& sql) {
    sqlclient::ConnectSettings settings;
    sqlclient::Endpoint endpoint;
    endpoint.socket = server_.socket();
    settings.endpoints = {endpoint};
    settings.user = "disttask_" + role;
    settings.schema = cluster_.schema();
    try {
      sqlclient::Connection::open(settings)->execute(sql);
      return "done";
    } catch (const Exception& e) {
      return e.error().code() == ErrorCode::kStoreNoPrivilege ? "refused" : e.error().message();
    }
  }

 private:
  PrivateServer server_{std::vector<std::string>{}};
  SystemCluster cluster_;
};

}  // namespace

TEST_CASE("The accounts of grants print are enough for the main paths of daemon, operator and reader") {
  GrantedCluster granted;
  auto a = granted.startNode("a", "scheduler:\n  history_after: 1s\n");
  auto b = granted.startNode("b");
  const auto example = [](const std::string& key, const std::string& meta) {
    return std::vector<std::string>{"task", "submit", "--type", "example", "--key", key, "--meta", meta};
  };
  auto wait = example("k", R"({"subtasks": 20, "steps": 2, "retry_at": 3, "sleep_ms": 20})");
  wait.insert(wait.end(), {"--wait", "--timeout", "60s"});
  granted.expect("operator", wait, 0);
  granted.expect("operator", example("long", R"({"subtasks": 2000, "sleep_ms": 200})"), 0);
  REQUIRE(eventually([&] {
    return granted.cluster().scalar("select state from tidb_global_task where task_key='long'") == "running";
  }));
  granted.expect("operator", {"task", "modify", "long", "--slots", "2", "--wait", "--timeout", "30s"}, 0);
  granted.expect("operator", {"task", "pause", "long"}, 0);
  REQUIRE(eventually([&] {
    return granted.cluster().scalar("select state from tidb_global_task where task_key='long'") == "paused";
  }));
  granted.expect("operator", {"task", "resume", "long"}, 0);
  granted.expect("operator", {"node", "drain", "b", "--wait", "--timeout", "60s"}, 0);
  granted.expect("operator", {"node", "uncordon", "b"}, 0);
  granted.expect("operator", {"node", "cordon", "b", "-m", "why"}, 0);
  granted.expect("operator", {"node", "uncordon", "b"}, 0);
  granted.expect("reader", {"task", "cancel", "long", "--yes"}, 77);
  granted.expect("operator", {"task", "cancel", "long", "--yes", "--wait", "--timeout", "60s"}, 6);
  auto failing = example("fails", R"({"subtasks": 3, "fail_at": 2})");
  failing.emplace_back("--manual-recovery");
  granted.expect("operator", failing, 0);
  REQUIRE(eventually([&] {
    return granted.cluster().scalar("select state from tidb_global_task where task_key='fails'") ==
           "awaiting-resolution";
  }));
  const auto failed = granted.cluster().scalar("select min(id) from tidb_background_subtask where state='failed'");
  REQUIRE(eventually([&] {
    const auto lines = granted.cluster().scalar("select count(*) from disttask_run_log where subtask_id=" + failed);
    return lines == "1";
  }));
  CHECK_THAT(granted.as("reader", {"subtask", "show", failed}).out, Catch::Contains("told to fail"));
  granted.expect("operator", {"task", "resolve", "fails", "--retry", "--yes"}, 0);
  REQUIRE(eventually([&] {
    return granted.cluster().scalar("select state from tidb_global_task where task_key='fails'") ==
           "awaiting-resolution";
  }));
  granted.expect("operator", {"task", "resolve", "fails", "--skip", "--yes"}, 0);
  granted.expect("operator", {"task", "wait", "fails", "--timeout", "60s"}, 0);
  granted.expect("operator", {"history", "gc", "--older-than", "1m", "--yes"}, 0);
  // A node that is killed: the other one evicts it and takes its rows.
  granted.expect("operator", example("again", R"({"subtasks": 40, "sleep_ms": 200})"), 0);
  REQUIRE(eventually([&] {
    return granted.cluster().scalar(
               "select count(*) from tidb_background_subtask where exec_id='b' and "
               "state='running'"
           ) != "0";
  }));
  b.process->kill(SIGKILL);
  granted.expect("operator", {"task", "wait", "again", "--timeout", "60s"}, 0);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"task", "ls", "--all"},
           {"task", "show", "k"},
           {"task", "subtasks", "k"},
           {"task", "events", "k"},
           {"task", "why", "again"},
           {"node", "ls"},
           {"node", "events", "a"},
           {"plugin", "ls"},
           {"schema", "status"},
           {"doctor"}}) {
    granted.expect("reader", words, 0);
  }
  CHECK(a.stop() == 0);
  CHECK_THAT(a.process->errors(), !Catch::Contains("store_no_privilege"));
  CHECK_THAT(b.process->errors(), !Catch::Contains("store_no_privilege"));
}

TEST_CASE("disttaskd ends with 77 and one sentence when its account may read the store but not register a node") {
  GrantedCluster granted;
  granted.cluster().execute("create user looker@localhost");
  granted.cluster().execute("grant select on `" + granted.cluster().schema() + "`.* to looker@localhost");
  const auto node = granted.launch("a", "looker");
  const auto end = node.process->wait();
  INFO(node.notify->all() << node.process->errors());
  REQUIRE(end);
  CHECK(end->exit_code == 77);
  CHECK_FALSE(node.notify->has("READY=1"));
  const auto said = node.process->errors();
  const auto last = said.substr(said.rfind("disttaskd: "));
  CHECK_THAT(
      last,
      Catch::Contains("INSERT") && Catch::Contains("'looker'@'localhost'") && Catch::Contains("disttask_node") &&
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
