// Rows that somebody else has written, wrong in every way that the columns allow: each command that reads says so in
// one sentence or shows them, the daemon works on with what is right, and nothing that it does not understand is
// changed.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>

using namespace disttask;
using namespace disttask::test;

namespace {

const std::string kRed = "concat('x', char(10), char(27), '[31m', char(7))";  // commands a terminal

struct BadRow {
  std::string id;
  std::string what;
  std::string columns;  ///< further ones, as `name=value`
};

/// Tasks from id 101 on. The key is the id's text.
const std::vector<BadRow>& badTasks() {
  static const std::vector<BadRow> all = {
      {"101", "a state that nobody knows", "state='exploding'"},
      {"102",
       "NULL wherever the columns allow it",
       "step=null, concurrency=null, priority=null, target_scope=null, meta=null, create_time=null, "
       "max_node_count=null"},
      {"103", "a negative step", "state='paused', step=-7"},
      {"104", "more slots than any node has", "concurrency=2147483647"},
      {"105", "an error that is no JSON and no UTF-8", "state='reverted', error=x'ff7b22'"},
      {"106", "parameters of another shape", "state='paused', extra_params='[1]', modify_params='\"x\"'"},
      {"107", "a meta of 6 MiB that is no JSON", "state='paused', meta=repeat('x', 6291456)"},
      {"108", "a type and a scope that command a terminal", "type=" + kRed + ", target_scope=" + kRed},
      {"109", "an error of 60 KiB", "state='reverted', error=repeat('e', 61440)"},
      {"110", "a state that nobody knows, and no type", "state='', type=''"},
      {"111", "a negative limit of nodes", "state='paused', max_node_count=-4, priority=-9"},
  };
  return all;
}

/// Subtasks from id 1001 on, of task 100.
const std::vector<BadRow>& badSubtasks() {
  static const std::vector<BadRow> all = {
      {"1001", "a state that nobody knows", "state='lost'"},
      {"1002", "a task that is no number", "task_key='abc', exec_id='alpha'"},
      {"1003", "no task", "task_key=null, exec_id='alpha', state='running'"},
      {"1004", "a task that is not there", "task_key='999', exec_id='alpha', state='running'"},
      {"1005", "error and summary of another shape", "state='succeed', error=x'ff7b22', summary='[]'"},
      {"1006", "numbers below zero", "state='succeed', summary='{\"row_count\":-9}', concurrency=-1, start_time=-5"},
      {"1007",
       "the largest numbers",
       "state='succeed', step=2147483647, ordinal=2147483647, concurrency=2147483647, start_time=9223372036854775807"},
      {"1008",
       "NULL wherever the columns allow it",
       "state='succeed', step=null, ordinal=null, exec_id=null, type=null, concurrency=null, meta=null"},
      {"1009", "a node that commands a terminal", "state='succeed', step=2, exec_id=" + kRed + ", error=" + kRed},
      {"1010", "a meta of 6 MiB and an unknown type", "state='succeed', step=3, type=77, meta=repeat('y', 6291456)"},
      {"1011", "a negative step", "state='succeed', step=-3"},
      {"1012", "an empty state", "state='', step=4"},
  };
  return all;
}

/// A TiDB takes no row of 6 MiB.
std::string fitting(const SystemCluster& cluster, std::string columns) {
  static const std::string kSixMiB = "6291456";
  const auto at = columns.find(kSixMiB);
  if (at == std::string::npos || cluster.scalar("select version()").find("TiDB") == std::string::npos) return columns;
  return columns.replace(at, kSixMiB.size(), "6000000");
}

void insert(const SystemCluster& cluster) {
  const auto task = [&](const std::string& id, const std::string& key) {
    cluster.execute(
        "insert into tidb_global_task (id, task_key, type, state, step, concurrency, priority, target_scope, meta, "
        "create_time) values (" +
        id + ", '" + key + "', 'example', 'pending', -1, 1, 1, 'disttask', '{}', now())"
    );
  };
  task("100", "rows");
  cluster.execute("update tidb_global_task set state='paused', step=1 where id=100");
  for (const auto& row : badTasks()) {
    task(row.id, "bad-" + row.id);
    cluster.execute("update tidb_global_task set " + fitting(cluster, row.columns) + " where id=" + row.id);
  }
  int ordinal = 0;
  for (const auto& row : badSubtasks()) {
    cluster.execute(
        "insert into tidb_background_subtask (id, step, task_key, exec_id, type, state, checkpoint, concurrency, "
        "ordinal, meta) values (" +
        row.id + ", 1, '100', 'beta', 0, 'succeed', '{}', 1, " + std::to_string(++ordinal) + ", '{}')"
    );
    cluster.execute("update tidb_background_subtask set " + fitting(cluster, row.columns) + " where id=" + row.id);
  }
  // Other nodes, and what is logged of tasks.
  for (const auto* node :
       {"'odd-text', 5, 1, 3600000, 'no json', 'upside-down', '{\"store\":', null",
        "'odd-list', -5, -1, 3600000, '[1,2]', 'normal', null, 'v'",
        "'odd-numbers', 6, 1, 3600000, '{\"example\":7}', 'normal', null, 'v'",
        "'odd-null', 0, 0, 0, null, 'normal', null, null"}) {
    cluster.execute(
        "insert into disttask_node (exec_id, life, renewals, lease_ms, types, wanted, reasons, version) values (" +
        std::string(node) + ")"
    );
  }
  cluster.execute(
      "insert into dist_framework_meta (host, role, cpu_count) values ('odd-text', 'disttask', -4), ('odd-list', "
      "'disttask', 2000000000)"
  );
  cluster.execute(
      "insert into disttask_event (task_id, exec_id, seq, at_ms, event, actor_kind, actor, from_state, to_state) "
      "values "
      "(100, '', 1, -1, 'danced', 'alien', " +
      kRed + ", 'lost', 'found'), (100, '', 2, 9223372036854775807, '', '', '', '', '')"
  );
}

std::string digest(const SystemCluster& cluster) {
  return cluster.scalar(
             "select group_concat(left(sha2(concat_ws('|', id, state, step, concurrency, priority, type, hex(error), "
             "sha2(meta, 256), extra_params), 256), 16) order by id) from "
             "tidb_global_task where id between 100 and 111"
         ) +
         cluster.scalar(
             "select group_concat(left(sha2(concat_ws('|', id, state, step, task_key, concurrency, exec_id, ordinal, "
             "hex(error), summary, sha2(meta, 256)), 256), 16) order by id) "
             "from tidb_background_subtask where id between 1001 and 1012"
         );
}

/// A text for a person has no byte that commands a terminal.
bool isPlain(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

struct Reads {
  std::vector<std::string> words;
  int exit_code = 0;
  std::string says = {};  ///< in either output
};

void check(const SystemCluster& cluster, const Reads& read) {
  for (const bool json : {false, true}) {
    auto words = read.words;
    if (json) words.insert(words.end(), {"-o", "json"});
    const auto result = cluster.ctl(words);
    std::string command;
    for (const auto& word : words) command += word + " ";
    INFO(command << "-> " << result.exit_code << "\n" << result.out.substr(0, 4000) << result.err);
    CHECK(result.exit_code == read.exit_code);
    CHECK(isPlain(result.out));
    CHECK(isPlain(result.err));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') <= 1);
    const bool said = (result.out + result.err).find(read.says) != std::string::npos;
    CHECK(said);
    if (json && read.exit_code == 0) CHECK_NOTHROW(result.json());
  }
}

}  // namespace

TEST_CASE("Rows of others that are wrong in every way stop neither a command nor the daemon, and stay as they are") {
  SystemCluster cluster;
  cluster.installSchema();
  insert(cluster);
  const auto before = digest(cluster);
  REQUIRE(before.size() > 300);
  auto node = cluster.startReady({.id = "alpha"});
  const auto done = cluster.submit("good", R"({"subtasks": 3})", {"--wait", "--timeout", "90s"});
  INFO(done.out << done.err << node.process->errors());
  CHECK(done.exit_code == 0);

  const std::string unknown = "which this version does not know";
  std::vector<Reads> reads = {
      {{"task", "ls"}, 0, "bad-109"},  // what is in no known state is told by doctor
      {{"task", "ls", "--state", "paused"}, 0, "bad-107"},
      {{"task", "show", "bad-101"}, 5, "task 101 is in state 'exploding', " + unknown},
      {{"task", "why", "bad-101"}, 5, "task 101 is in state 'exploding', " + unknown},
      {{"task", "show", "bad-110"}, 5, "task 110 is in state '', " + unknown},
      {{"task", "subtasks", "rows"}, 0, "2147483647"},
      {{"task", "events", "rows"}, 0, "danced"},
      {{"task", "why", "bad-104"}, 0, "2147483647"},
      {{"subtask", "show", "1001"}, 5, "subtask 1001 is in state 'lost', " + unknown},
      {{"subtask", "show", "1012"}, 5, "subtask 1012 is in state '', " + unknown},
      {{"subtask", "show", "1003"}, 3, "subtask id:1003 belongs to no task"},
      {{"node", "ls"}, 0, "odd-numbers"},
      {{"node", "show", "odd-text"}, 0, "column types is no JSON object of names and versions"},
      {{"node", "show", "odd-list"}, 0, "expected object, found array"},
      {{"node", "show", "odd-numbers"}, 0, "expected string, found number"},
      {{"node", "show", "odd-null"}},
      {{"node", "show", "alpha"}, 0, "example"},
      {{"doctor"}, 1, "node_unreadable"},
      {{"doctor"}, 1, "exploding"},
      {{"history", "ls"}},
  };
  for (const auto& row : badTasks()) {
    if (row.id == "101" || row.id == "110") continue;
    for (const auto* verb : {"show", "why", "subtasks", "events"}) reads.push_back({{"task", verb, "id:" + row.id}});
  }
  for (const auto* id : {"1005", "1006", "1007", "1008", "1009", "1010", "1011"})
    reads.push_back({{"subtask", "show", id}});
  for (const auto& read : reads) {
    check(cluster, read);
    (void)node.notify->all();  // whose queue is short
  }
  const auto top = cluster.ctl({"top", "-o", "json"});
  INFO(top.err);
  CHECK(top.exit_code == 0);
  CHECK_NOTHROW(top.json());

  node.process->kill(SIGTERM);
  const auto end = node.process->wait(std::chrono::seconds(60));
  INFO(node.process->errors());
  REQUIRE(end);
  CHECK(end->signal == 0);
  CHECK(end->exit_code == 0);
  CHECK(isPlain(node.process->errors()));
  const auto after = digest(cluster);
  CHECK(after == before);
}

TEST_CASE("A running task with rows that this version does not know works on with the others and leaves them") {
  SystemCluster cluster;
  cluster.installSchema();
  cluster.execute(
      "insert into tidb_global_task (id, task_key, type, state, step, concurrency, priority, target_scope, meta, "
      "create_time) values "
      "(100, 'mixed', 'example', 'running', 1, 1, 1, 'disttask', '{}', now())"
  );
  cluster.execute(
      "insert into tidb_background_subtask (id, step, task_key, exec_id, type, state, checkpoint, concurrency, "
      "ordinal, meta) values "
      "(1001, 1, '100', 'alpha', 0, 'lost', '{}', 1, 1, '{}'), (1002, 1, '100', 'alpha', 0, 'pending', '{}', "
      "2147483647, 2147483647, '{}'), "
      "(1003, 1, '100', 'alpha', 0, 'pending', '{}', -1, 3, '{}'), (1004, 1, '100', 'alpha', 0, 'running', '{}', 1, 4, "
      "'{}')"
  );
  cluster.execute("update tidb_background_subtask set ddl_physical_tid=1 where id=1004");  // may run again
  auto node = cluster.startReady({.id = "alpha"});
  const bool ran = eventually(std::chrono::seconds(60), [&] {
    (void)node.notify->all();  // whose queue is short
    return cluster.scalar(
               "select count(*) from tidb_background_subtask where id in (1002, 1003, 1004) and state='succeed'"
           ) == "3";
  });
  node.process->kill(SIGTERM);
  const auto end = node.process->wait(std::chrono::seconds(60));
  INFO(node.process->errors());
  CHECK(ran);
  CHECK(cluster.scalar("select state from tidb_background_subtask where id=1001") == "lost");
  REQUIRE(end);
  CHECK(end->signal == 0);
  CHECK(end->exit_code == 0);
}

TEST_CASE("Rows to run with a negative step, or with a meta of 6 MiB that is no JSON, stop no other work") {
  SystemCluster cluster;
  cluster.installSchema();
  for (const auto* task : {"(100, 'steps', ", "(101, 'metas', "}) {
    cluster.execute(
        "insert into tidb_global_task (id, task_key, type, state, step, concurrency, priority, target_scope, meta, "
        "create_time) values " +
        std::string(task) + "'example', 'running', 1, 1, 1, 'disttask', '{}', now())"
    );
  }
  const std::string six_mib = fitting(cluster, "repeat('y', 6291456)");
  for (const auto& row :
       {std::string("(1001, -3, '100', 'alpha', 0, 'pending', '{}', 1, 1, 0, '{}')"),
        std::string("(1002, -3, '100', 'alpha', 0, 'running', '{}', 1, 2, 1, '{}')"),
        "(1003, 1, '101', 'alpha', 0, 'pending', '{}', 1, 1, 0, " + six_mib + ")",
        "(1004, 1, '101', 'alpha', 0, 'running', '{}', 1, 2, 1, " + six_mib + ")"}) {
    cluster.execute(
        "insert into tidb_background_subtask (id, step, task_key, exec_id, type, state, checkpoint, concurrency, "
        "ordinal, ddl_physical_tid, meta) values " +
        row
    );
  }
  auto node = cluster.startReady({.id = "alpha"});
  const auto done = cluster.submit("good", R"({"subtasks": 3})", {"--wait", "--timeout", "90s"});
  INFO(done.out << done.err << node.process->errors().substr(0, 8000));
  CHECK(done.exit_code == 0);
  // What no step has is left as it is; a meta that cannot be read fails its subtask, and with that its task.
  CHECK(
      cluster.scalar("select group_concat(concat_ws(' ', id, step, state) order by id) from tidb_background_subtask "
                     "where id < 1003") == "1001 -3 pending,1002 -3 pending"
  );
  CHECK(eventually(std::chrono::seconds(60), [&] {
    (void)node.notify->all();  // whose queue is short
    return cluster.scalar("select state from tidb_global_task where id=101") == "reverted";
  }));
  CHECK_THAT(cluster.scalar("select error from tidb_global_task where id=101"), Catch::Contains("malformed JSON at"));
  node.process->kill(SIGTERM);
  const auto end = node.process->wait(std::chrono::seconds(60));
  REQUIRE(end);
  CHECK(end->signal == 0);
  CHECK(end->exit_code == 0);
  CHECK(node.process->errors().size() < 100'000);
  CHECK(isPlain(node.process->errors()));
}
