// disttaskctl doctor: each state that it tells of is made in the tables, and seen. No daemon runs here.
#include "private_server.hpp"
#include "system_cluster.hpp"

#include "support/tcp_gate.hpp"
#include <catch2/catch.hpp>

#include <functional>
#include <set>

using namespace disttask;
using namespace disttask::test;

namespace {

/// A cluster as it looks when all is well: node `a` is live and has the role. Only rows, no process.
void makeWell(const SystemCluster& cluster) {
  cluster.execute(
      "insert into disttask_node (exec_id, life, renewals, lease_ms, types, version) values "
      "('a', 5, 1, 3600000, '{\"example\":\"1\"}', 'v1')"
  );
  cluster.execute("insert into dist_framework_meta (host, role, cpu_count) values ('a', 'disttask', 4)");
  cluster.execute("update disttask_owner set exec_id='a', life=9");
  cluster.execute("update disttask_owner_lease set life=9, renewals=1, renewed_at=current_timestamp()");
}

void addNode(const SystemCluster& cluster, const std::string& id, const std::string& life, const std::string& types) {
  cluster.execute(
      "insert into disttask_node (exec_id, life, renewals, lease_ms, types, version) values ('" + id + "', " + life +
      ", 1, 3600000, '" + types + "', 'v1')"
  );
  cluster.execute("insert into dist_framework_meta (host, role, cpu_count) values ('" + id + "', 'disttask', 4)");
}

/// Makes a task with id 7 in this state, entered so many seconds ago.
void addTask(const SystemCluster& cluster, const std::string& state, int age_s = 0, const std::string& more = "") {
  cluster.execute(
      "insert into tidb_global_task (id, task_key, type, state, step, concurrency, target_scope, create_time, "
      "state_update_time) values (7, 'k', 'example', '" +
      state + "', 1, 1, 'disttask', current_timestamp(), date_sub(current_timestamp(), interval " +
      std::to_string(age_s) + " second))"
  );
  if (!more.empty()) cluster.execute("update tidb_global_task set " + more);
}

void addSubtask(const SystemCluster& cluster, const std::string& node, const std::string& state) {
  cluster.execute(
      "insert into tidb_background_subtask (step, task_key, exec_id, state, checkpoint, concurrency, ordinal) select "
      "1, "
      "'7', '" +
      node + "', '" + state + "', '{}', 1, count(*)+1 from tidb_background_subtask"
  );
}

void addPlan(const SystemCluster& cluster, const std::string& kind, const std::string& planner, bool failed) {
  cluster.execute(
      "insert into disttask_plan (task_id, kind, after_step, step, planner, token, `cursor`, next_ordinal, complete, "
      "failed, retries, error, created) values (7, '" +
      kind + "', 0, 1, '" + planner + "', 3, '', 1, 0, " + (failed ? "1" : "0") +
      ", 0, 'bad meta', current_timestamp())"
  );
}

struct Seen {
  int exit_code = -1;
  std::string health;
  std::set<std::string> codes;  ///< as severity:code:subject
  std::string all;
};

Seen look(const SystemCluster& cluster, const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"doctor", "-o", "json"};
  words.insert(words.end(), more.begin(), more.end());
  const auto result = cluster.ctl(words);
  Seen seen;
  seen.exit_code = result.exit_code;
  seen.all = result.out + result.err;
  INFO(seen.all);
  const auto json = result.json();
  seen.health = json.find("health")->asString();
  for (const auto& finding : json.find("findings")->asArray()) {
    const auto text = [&](const char* key) { return finding.find(key)->asString(); };
    CHECK_FALSE(text("text").empty());
    CHECK_FALSE(text("remedy").empty());
    seen.codes.insert(text("severity") + ":" + text("code") + ":" + text("subject"));
  }
  return seen;
}

}  // namespace

TEST_CASE("doctor finds nothing wrong with a healthy cluster, and says so in words") {
  SystemCluster cluster;
  cluster.installSchema();
  makeWell(cluster);
  const auto seen = look(cluster);
  INFO(seen.all);
  CHECK(seen.exit_code == 0);
  CHECK(seen.health == "healthy");
  CHECK(seen.codes.empty());
  const auto text = cluster.ctl({"doctor"});
  CHECK_THAT(text.out, Catch::Contains("owner    a") && Catch::Contains("1 live of 1") && Catch::EndsWith("healthy\n"));
}

TEST_CASE("doctor sees each state that should not last") {
  struct Case {
    std::string code;  ///< severity:code:subject
    std::function<void(const SystemCluster&)> make;
  };
  using C = const SystemCluster&;
  const std::vector<Case> cases{
      {"error:no_owner:", [](C c) { c.execute("update disttask_owner set life=0"); }},
      {"error:owner_silent:a",
       [](C c) {
         c.execute("update disttask_node set lease_ms=3000");
         c.execute("update disttask_owner_lease set renewed_at=date_sub(current_timestamp(), interval 60 second)");
       }},
      {"error:no_live_node:", [](C c) { c.execute("update disttask_node set life=0"); }},
      {"note:node_gone:b", [](C c) { addNode(c, "b", "0", R"({"example":"1"})"); }},
      {"warning:node_without_slots:a", [](C c) { c.execute("delete from dist_framework_meta"); }},
      {"warning:node_trouble:a",
       [](C c) {
         c.execute(R"(update disttask_node set reasons='{"store":{"code":"store_disk_full","message":"full"}}')");
       }},
      {"note:node_taken_out:a", [](C c) { c.execute("update disttask_node set wanted='cordoned'"); }},
      {"warning:all_taken_out:", [](C c) { c.execute("update disttask_node set wanted='draining'"); }},
      {"warning:plugin_versions_differ:example", [](C c) { addNode(c, "b", "6", R"({"example":"2"})"); }},
      {"note:type_missing_on_node:b", [](C c) { addNode(c, "b", "6", "{}"); }},
      {"warning:programs_differ:",
       [](C c) {
         addNode(c, "b", "6", R"({"example":"1"})");
         c.execute("update disttask_node set version='v2' where exec_id='b'");
       }},
      {"warning:rows_of_dead_node:b",
       [](C c) {
         addNode(c, "b", "0", R"({"example":"1"})");
         addTask(c, "running");
         addSubtask(c, "b", "running");
       }},
      {"warning:rows_of_unknown_node:nobody",
       [](C c) {
         addTask(c, "running");
         addSubtask(c, "nobody", "pending");
       }},
      {"warning:paused_rows_of_running_task:k",
       [](C c) {
         addTask(c, "running");
         addSubtask(c, "a", "paused");
       }},
      {"warning:task_without_plan:k", [](C c) { addTask(c, "running", 100); }},
      {"warning:state_lasts:k", [](C c) { addTask(c, "pausing", 400); }},
      {"warning:waits_for_resolution:k", [](C c) { addTask(c, "awaiting-resolution"); }},
      {"warning:no_node_in_scope:k", [](C c) { addTask(c, "pending", 0, "target_scope='other'"); }},
      {"warning:type_not_offered:k", [](C c) { addTask(c, "pending", 0, "type='other'"); }},
      {"warning:too_few_slots:k", [](C c) { addTask(c, "pending", 0, "concurrency=5"); }},
      {"warning:planner_gone:k",
       [](C c) {
         addTask(c, "running");
         addPlan(c, "step", "nobody", false);
       }},
      {"warning:plan_failed:k",
       [](C c) {
         addTask(c, "running");
         addPlan(c, "step", "a", true);
       }},
      // The owner has reverted it: nothing is left to do about it here.
      {"note:plan_failed:k",
       [](C c) {
         addTask(c, "reverted");
         addPlan(c, "step", "nobody", true);
       }},
      {"note:hook_failed:k",
       [](C c) {
         addTask(c, "succeed");
         addPlan(c, "cleanup", "a", true);
       }},
      {"note:left_plan:id:7", [](C c) { addPlan(c, "step", "a", false); }},
      {"note:left_attempts:",
       [](C c) { c.execute("insert into disttask_attempt (subtask_id, task_id) values (1, 7)"); }},
      {"warning:rows_without_task:7", [](C c) { addSubtask(c, "a", "pending"); }},
      {"warning:unknown_state:strange", [](C c) { addTask(c, "strange"); }},
  };
  SystemCluster cluster;
  cluster.installSchema();
  for (const auto& entry : cases) {
    for (const char* table :
         {"disttask_node",
          "dist_framework_meta",
          "tidb_global_task",
          "tidb_background_subtask",
          "disttask_plan",
          "disttask_attempt"}) {
      cluster.execute(std::string("delete from ") + table);
    }
    makeWell(cluster);
    entry.make(cluster);
    const auto seen = look(cluster);
    INFO(entry.code << "\n" << seen.all);
    CHECK(seen.codes.contains(entry.code));
    const int expected = entry.code.starts_with("error") ? 2 : entry.code.starts_with("warning") ? 1 : 0;
    // Taking the only node out is two findings, a note and a warning.
    CHECK(seen.exit_code == (entry.code == "note:node_taken_out:a" ? 1 : expected));
  }
}

TEST_CASE("doctor says of a node that is gone whether it was stopped or evicted, and that a reload loads new plugins") {
  SystemCluster cluster;
  cluster.installSchema();
  makeWell(cluster);
  const auto text = [&] { return cluster.ctl({"doctor"}).out; };
  addNode(cluster, "b", "0", "{}");
  CHECK_THAT(text(), Catch::Contains("node 'b' was stopped or evicted\n"));
  const auto add_event = [&](int seq, const std::string& event) {
    cluster.execute(
        "insert into disttask_event (task_id, exec_id, seq, at_ms, event, actor_kind, actor) values (0, 'b', " +
        std::to_string(seq) + ", 1, '" + event + "', 'node', 'b')"
    );
  };
  add_event(1, "registered");
  add_event(2, "stopped");
  add_event(3, "wanted");
  CHECK_THAT(text(), Catch::Contains("node 'b' was stopped\n"));
  add_event(4, "registered");
  add_event(5, "evicted");
  CHECK_THAT(text(), Catch::Contains("node 'b' was evicted: it did not renew its lease\n"));

  addTask(cluster, "pending", 0, "type='other'");
  CHECK_THAT(
      text(),
      Catch::Contains("type_not_offered") && Catch::Contains("systemctl reload disttaskd") &&
          !Catch::Contains("restart disttaskd")
  );
  // A plan of an ended task whose planner is gone waits for nobody.
  cluster.execute("update tidb_global_task set state='reverted'");
  addPlan(cluster, "step", "nobody", false);
  CHECK(cluster.ctl({"doctor"}).exit_code == 0);
}

TEST_CASE("doctor --observe names live nodes that renew no lease") {
  SystemCluster cluster;
  cluster.installSchema();
  makeWell(cluster);
  const auto too_short = look(cluster, {"--observe", "100ms"});
  CHECK(too_short.codes.contains("note:node_not_watched:a"));
  CHECK(too_short.exit_code == 0);
  cluster.execute("update disttask_node set lease_ms=200");
  const auto seen = look(cluster, {"--observe", "100ms"});
  CHECK(seen.codes.contains("warning:node_silent:a"));
  CHECK(seen.exit_code == 1);
}

TEST_CASE("doctor tells of a schema that is missing, damaged or newer, and of a store that cannot be reached") {
  SystemCluster cluster;
  auto seen = look(cluster);
  CHECK(seen.exit_code == 2);
  CHECK(seen.codes.contains("error:schema_version:"));
  CHECK(seen.codes.contains("error:schema_unfit:"));
  cluster.installSchema();
  makeWell(cluster);
  cluster.execute("alter table disttask_node drop column pid");
  seen = look(cluster);
  INFO(seen.all);
  CHECK(seen.codes.contains("error:schema_unfit:"));
  cluster.execute("alter table disttask_node add column pid bigint after host");
  cluster.execute("update disttask_schema set version=99");
  CHECK(look(cluster).codes.contains("error:schema_version:"));
  const auto gone = cluster.ctl({"--store", "mysql://u@localhost/x?socket=/nowhere/s.sock", "doctor", "-o", "json"});
  INFO(gone.out << gone.err);
  CHECK(gone.exit_code == 2);
  CHECK_THAT(gone.out, Catch::Contains("store_unreachable"));
}

TEST_CASE("doctor sees a read-only server, a clock that differs and rights that are missing") {
  PrivateServer server({"--init-connect=set timestamp=unix_timestamp()+3600"});
  SystemCluster cluster(server.socket());
  // A server without a certificate: that it runs and is reached is no question.
  const TempDir folder;
  const std::string ca = folder.path() / "ca.pem";
  REQUIRE(
      runProgram({"openssl",
                  "req",
                  "-x509",
                  "-newkey",
                  "rsa:2048",
                  "-nodes",
                  "-subj",
                  "/CN=ca",
                  "-keyout",
                  folder.path() / "ca.key",
                  "-out",
                  ca})
          .exit_code == 0
  );
  const TcpGate gate(server.socket(), "", 0);
  const auto refused = cluster.ctl(
      {"--store", "mysql://root@127.0.0.1:" + std::to_string(gate.port()) + "/x?tls=verify&ca=" + ca, "doctor"}
  );
  INFO(refused.out << refused.err);
  CHECK(refused.exit_code == 2);
  CHECK_THAT(refused.out, Catch::Contains("see the certificates"));
  cluster.installSchema();
  makeWell(cluster);
  // The server sets its clock forward for accounts that are not its administrator.
  cluster.execute("create user looks@localhost");
  const auto as_reader = [&](const std::string& role) {
    const auto dsn = "mysql://looks@localhost/" + cluster.schema() + "?socket=" + server.socket();
    return cluster.ctl({"--store", dsn, "doctor", "--role", role});
  };
  cluster.execute("grant select on `" + cluster.schema() + "`.* to looks@localhost");
  auto result = as_reader("reader");
  INFO(result.out << result.err);
  CHECK_THAT(
      result.out, Catch::Contains("clock_skew") && Catch::Contains("ahead of") && !Catch::Contains("missing_right")
  );
  result = as_reader("operator");
  INFO(result.out << result.err);
  CHECK_THAT(result.out, Catch::Contains("missing_right  tidb_global_task") && Catch::Contains("may not insert"));
  cluster.execute("set global read_only=1");
  const auto seen = look(cluster);
  cluster.execute("set global read_only=0");
  CHECK(seen.codes.contains("error:store_read_only:"));
  CHECK(seen.exit_code == 2);
}
