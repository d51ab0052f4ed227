// What doctor and node forget --reassign say of a cluster beside a live TiDB.
#include "commands/node_reassign.hpp"
#include "doctor/findings.hpp"
#include "doctor/watch.hpp"
#include <catch2/catch.hpp>

#include <set>

using namespace disttask;
using namespace disttask::ctl;
using Catch::Contains;

namespace {

proto::Node makeNode(const std::string& id, std::int64_t life, bool registered = true) {
  proto::Node node;
  node.exec_id = id;
  node.life = proto::Life(life);
  node.role = "ext";
  node.slots = 16;
  node.has_meta_row = registered;
  node.types = {{"Example", "1"}};
  return node;
}

/// All is well: one node of ours between two of TiDB's.
DoctorFacts makeFacts() {
  DoctorFacts facts;
  facts.is_beside_tidb = true;
  facts.owner.emplace();
  facts.nodes = {makeNode("b:1", 5)};
  facts.registered = {{"a:4000", "", 16}, {"b:1", "ext", 16}, {"c:4000", "", 16}};
  facts.stuck.emplace();
  return facts;
}

std::set<std::string> codesOf(const DoctorFacts& facts) {
  std::set<std::string> codes;
  for (const auto& finding : diagnose(facts)) codes.insert(finding.code + ":" + finding.subject);
  return codes;
}

std::string remedyOf(const DoctorFacts& facts, const std::string& code) {
  for (const auto& finding : diagnose(facts)) {
    if (finding.code == code) return finding.remedy;
  }
  return {};
}

}  // namespace

TEST_CASE("Beside a live TiDB nobody of ours has the scheduler role, and that is well") {
  auto facts = makeFacts();
  CHECK(codesOf(facts).empty());
  facts.is_beside_tidb = false;
  CHECK(codesOf(facts) == std::set<std::string>{"no_owner:"});
}

TEST_CASE("Beside a live TiDB a node that is gone is named with what moves its subtasks") {
  auto facts = makeFacts();
  facts.nodes.push_back(makeNode("d:1", 0));
  facts.silent = {"b:1"};
  facts.silent_holders = {{"b:1", true, 3, 2}};
  CHECK(codesOf(facts) == std::set<std::string>{"node_silent:b:1", "gone_node_registered:d:1"});
  CHECK_THAT(remedyOf(facts, "node_silent"), Contains("disttaskctl node forget b:1 --reassign"));
  CHECK_THAT(remedyOf(facts, "gone_node_registered"), Contains("disttaskctl node forget d:1 --reassign"));
  for (const auto& finding : diagnose(facts)) {
    if (finding.code == "node_silent") CHECK_THAT(finding.text, Contains("3 pending and 2 running"));
  }
}

TEST_CASE("Beside a live TiDB rows of its own nodes are none of ours, those of a dead one are") {
  auto facts = makeFacts();
  facts.nodes.push_back(makeNode("d:1", 0, false));
  facts.stuck->dead_holders = {{"a:4000", false, 5, 1}, {"d:1", true, 1, 0}, {"z:1", false, 1, 0}};
  CHECK(codesOf(facts) == std::set<std::string>{"node_gone:d:1", "rows_of_dead_node:d:1", "rows_of_unknown_node:z:1"});
  CHECK(remedyOf(facts, "rows_of_dead_node") == "disttaskctl node forget d:1 --reassign");
}

TEST_CASE("Beside a live TiDB only tasks for our scopes are looked at") {
  auto facts = makeFacts();
  storage::mysql::TaskHealth task;
  task.task.id = proto::TaskId(1);
  task.task.key = "k";
  task.task.type = "backfill";
  task.task.state = proto::TaskState::kRunning;
  task.state_age_s = 100;
  facts.stuck->tasks = {task};
  CHECK(codesOf(facts).empty());
  auto& seen = facts.stuck->tasks.front();
  seen.task.target_scope = "ext";
  CHECK(codesOf(facts) == std::set<std::string>{"type_not_offered:k"});

  struct Case {
    proto::TaskState state;
    bool has_paused_rows;
    const char* code;
  };
  seen.task.type = "Example";
  seen.state_age_s = 400;
  for (const auto& [state, has_paused_rows, code] :
       {Case{proto::TaskState::kPausing, true, "state_lasts"},
        Case{proto::TaskState::kReverting, false, "state_lasts"},
        Case{proto::TaskState::kAwaitingResolution, false, "waits_for_resolution"},
        Case{proto::TaskState::kRunning, true, "paused_rows_of_running_task"}}) {
    INFO(toString(state));
    seen.task.state = state;
    seen.has_paused_rows = has_paused_rows;
    seen.task.target_scope = "";
    CHECK(codesOf(facts).empty());
    seen.task.target_scope = "ext";
    CHECK(codesOf(facts) == std::set<std::string>{std::string(code) + ":k"});
  }
  // A node of ours that is gone had the scope, too.
  facts.nodes = {makeNode("d:1", 0, false)};
  facts.registered.clear();
  CHECK(codesOf(facts).count("paused_rows_of_running_task:k") == 1);
}

TEST_CASE("Beside a live TiDB doctor names no command that is refused there") {
  auto facts = makeFacts();
  storage::mysql::TaskHealth task;
  task.task.id = proto::TaskId(7);
  task.task.key = "k";
  task.task.type = "Example";
  task.task.target_scope = "ext";
  task.state_age_s = 400;
  for (const bool is_beside_tidb : {true, false}) {
    facts.is_beside_tidb = is_beside_tidb;
    facts.owner->life = proto::Life(5);
    facts.owner->exec_id = "b:1";
    std::string remedies;
    for (const auto state :
         {proto::TaskState::kPausing,
          proto::TaskState::kAwaitingResolution,
          proto::TaskState::kRunning,
          proto::TaskState::kPending}) {
      task.task.state = state;
      task.task.slots = state == proto::TaskState::kPending ? 17 : 1;
      task.has_paused_rows = state == proto::TaskState::kRunning;
      facts.stuck->tasks = {task};
      std::size_t found = 0;
      for (const auto& finding : diagnose(facts)) {
        if (finding.subject != "k") continue;
        remedies += finding.remedy + "\n";
        ++found;
      }
      INFO(toString(state));
      CHECK(found == 1);
    }
    INFO(remedies);
    if (is_beside_tidb) {
      for (const char* refused : {"task why", "task resolve", "task modify", "the owner"})
        CHECK_THAT(remedies, !Contains(refused));
      CHECK_THAT(remedies, Contains("ADMIN PAUSE, RESUME or CANCEL DDL JOBS") && Contains("tidb_enable_dist_task"));
    } else {
      for (const char* named :
           {"task why id:7", "task resolve id:7", "the owner", "disttaskctl task modify id:7 --slots N"})
        CHECK_THAT(remedies, Contains(named));
    }
  }
}

TEST_CASE("Beside a live TiDB a task in a scope that its own hosts serve as well may have its type and slots there") {
  auto facts = makeFacts();
  storage::mysql::TaskHealth task;
  task.task.id = proto::TaskId(1);
  task.task.key = "k";
  task.task.type = "backfill";
  task.task.target_scope = "ext";
  task.task.state = proto::TaskState::kPending;
  facts.stuck->tasks = {task};
  CHECK(codesOf(facts) == std::set<std::string>{"type_not_offered:k"});
  facts.stuck->tasks.front().task.type = "Example";
  facts.stuck->tasks.front().task.slots = 17;
  CHECK(codesOf(facts) == std::set<std::string>{"too_few_slots:k"});
  facts.registered.back().role = "ext";
  CHECK(codesOf(facts).empty());
  facts.stuck->tasks.front().task.type = "backfill";
  CHECK(codesOf(facts).empty());
}

TEST_CASE("A node of ours that gives TiDB the slots of all nodes must have as many as the others") {
  auto facts = makeFacts();
  const auto withOurs = [&](const std::string& id, std::int32_t slots) {
    auto changed = facts;
    changed.nodes = {makeNode(id, 5)};
    changed.registered = {{"a:4000", "", 16}, {"c:4000", "", 16}};
    changed.registered.insert(id < "a" ? changed.registered.begin() : changed.registered.end(), {id, "ext", slots});
    return codesOf(changed);
  };
  CHECK(withOurs("z:1", 16).empty());
  CHECK(withOurs("z:1", 4) == std::set<std::string>{"slots_differ_in_register:z:1"});
  CHECK(withOurs("0:1", 4) == std::set<std::string>{"slots_differ_in_register:0:1"});
  facts.registered[1].slots = 4;  // in between
  CHECK(codesOf(facts).empty());
}

TEST_CASE("What keeps the subtasks of a node that is gone is said with what can be done") {
  storage::mysql::TaskOnNode task;
  task.task_id = proto::TaskId(7);
  task.task_key = "k";
  task.state = "running";
  task.scope = "ext";
  RemainingFacts facts;
  facts.node = "b:1";
  facts.beside_tidb = true;
  facts.registered = {{"a:4000", "", 16}, {"b:1", "ext", 16}};
  CHECK_THAT(adviceFor(task, facts), Contains("no other node is registered with scope 'ext'"));
  facts.registered.push_back({"c:1", "ext", 16});
  CHECK_THAT(adviceFor(task, facts), Contains("TiDB's scheduler has not moved them"));
  task.state.clear();
  CHECK_THAT(adviceFor(task, facts), Contains("not live"));
  task.state = "running";
  facts.beside_tidb = false;
  facts.nodes = {makeNode("b:1", 0), makeNode("d:1", 0)};
  CHECK_THAT(adviceFor(task, facts), Contains("no other live node has scope 'ext'"));
  facts.nodes.push_back(makeNode("e:1", 4));
  CHECK_THAT(adviceFor(task, facts), Contains("disttaskctl task why id:7"));
}

TEST_CASE("What keeps a node from being forgotten is said by task, with counts and what can be done") {
  storage::mysql::RowsNamingNode waits;
  waits.task = {proto::TaskId(7), "k", "running", "ext", 3, 1};
  waits.ended = 2;
  storage::mysql::RowsNamingNode paused;
  paused.task = {proto::TaskId(8), "p", "paused", "ext", 0, 0};
  paused.paused = 4;
  storage::mysql::RowsNamingNode goes_on;
  goes_on.task = {proto::TaskId(9), "g", "running", "ext", 0, 0};
  goes_on.ended = 1;
  storage::mysql::RowsNamingNode over;
  over.task = {proto::TaskId(10), "o", "reverted", "ext", 0, 0};
  over.ended = 5;
  over.task_ended_at = 1'772'364'605;
  storage::mysql::RowsNamingNode lost;
  lost.task = {proto::TaskId(11), "", "", "", 1, 0};
  RemainingFacts facts;
  facts.node = "b:1";
  facts.nodes = {makeNode("b:1", 0), makeNode("e:1", 4)};
  CHECK(
      describeKept({waits, paused, goes_on, over, lost}, facts) ==
      "node 'b:1' cannot be forgotten yet, these subtasks name it:\n"
      "task id:7 ('k', running): 3 pending, 1 running, 2 ended: disttaskctl task why id:7 says what they wait for. The "
      "owner gives them to other nodes; --reassign waits for that\n"
      "task id:8 ('p', paused): 4 paused: paused ones move when it goes on: disttaskctl task resume, or task cancel\n"
      "task id:9 ('g', running): 1 ended: ended ones go to history with their task, when that has ended\n"
      "task id:10 ('o', reverted): 5 ended: ended 2026-03-01T11:30:05Z; they go to history with it, "
      "scheduler.history_after (10m where nothing else is set) later\n"
      "task id:11 ('', not live): 1 pending: their task is not live, so nobody moves them: a DBA may delete them"
  );
}

TEST_CASE("A node with a long lease is called silent only when it was watched for long enough") {
  using namespace std::chrono_literals;
  auto facts = makeFacts();
  auto& node = facts.nodes.front();
  node.lease_ms = std::chrono::milliseconds(10min).count();
  const auto before = facts.nodes;
  CHECK(watchBesideTiDb(facts.nodes) == 30s);
  SECTION("not in the time that doctor watches by itself") {
    noteSilence(before, facts.nodes, 30s, facts);
    CHECK(facts.silent.empty());
    CHECK(codesOf(facts) == std::set<std::string>{"node_not_watched:b:1"});
    CHECK(remedyOf(facts, "node_not_watched") == "disttaskctl doctor --observe 152s");
    CHECK(exitCodeOf(diagnose(facts)) == 0);
  }
  SECTION("but in the time that it says") {
    noteSilence(before, facts.nodes, 152s, facts);
    CHECK(codesOf(facts) == std::set<std::string>{"node_silent:b:1"});
  }
  SECTION("not when it has renewed") {
    ++node.renewals;
    noteSilence(before, facts.nodes, 152s, facts);
    CHECK(codesOf(facts).empty());
  }
  SECTION("not when it lives anew") {
    node.life = proto::Life(6);
    noteSilence(before, facts.nodes, 152s, facts);
    CHECK(codesOf(facts).empty());
  }
}

TEST_CASE("doctor watches beside a live TiDB until each live node must have renewed") {
  using namespace std::chrono_literals;
  std::vector<proto::Node> nodes{makeNode("a:1", 5), makeNode("b:1", 6), makeNode("c:1", 0)};
  nodes[0].lease_ms = 10'000;
  nodes[1].lease_ms = 30'000;
  nodes[2].lease_ms = 3'600'000;  // gone
  CHECK(watchBesideTiDb(nodes) == 9500ms);
  nodes[1].life = proto::Life();
  CHECK(watchBesideTiDb(nodes) == 4500ms);
  nodes[0].lease_ms = 400;
  CHECK(watchBesideTiDb(nodes) == 200ms);
  nodes[0].life = proto::Life();
  CHECK_FALSE(watchBesideTiDb(nodes));
}

TEST_CASE("Beside a live TiDB left attempts are the daemons' to delete") {
  auto facts = makeFacts();
  facts.stuck->left_attempts = 3;
  CHECK_THAT(remedyOf(facts, "left_attempts"), Contains("a daemon deletes them") && !Contains("history gc"));
  facts.is_beside_tidb = false;
  CHECK_THAT(remedyOf(facts, "left_attempts"), Contains("disttaskctl history gc"));
}
