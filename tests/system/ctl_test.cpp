// The tool as people and scripts meet it: forms of output, consent, interrupts, what is known before a submit.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace disttask;
using namespace disttask::test;
using Catch::Matchers::Contains;

namespace {

/// The names of the members that docs/disttaskctl.md documents for a command: what stands in backticks after the colon
/// of the line that follows its mark.
std::set<std::string> documentedFields(const std::string& command) {
  std::ifstream file(DISTTASKCTL_PAGE);
  std::ostringstream text;
  text << file.rdbuf();
  const auto page = text.str();
  const auto mark = "<!-- json: " + command + " -->\n";
  const auto at = page.find(mark);
  if (at == std::string::npos) FAIL("docs/disttaskctl.md documents no fields of " << command);
  const auto begin = at + mark.size();
  auto line = page.substr(begin, page.find('\n', begin) - begin);
  line = line.substr(line.find(": ") + 1);
  std::set<std::string> fields;
  int depth = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    // Explanations in parentheses, and what follows a semicolon, may name other things.
    depth += line[i] == '(' ? 1 : line[i] == ')' ? -1 : 0;
    if (line[i] == ';' && depth == 0) break;
    if (line[i] != '`') continue;
    const auto end = line.find('`', i + 1);
    if (depth == 0) fields.insert(line.substr(i + 1, end - i - 1));
    i = end;
  }
  return fields;
}

std::set<std::string> fieldsOf(const Json& json) {
  std::set<std::string> fields;
  for (const auto& [name, value] : json.asObject()) fields.insert(name);
  return fields;
}

/// A node with one slot and a task of three subtasks, of which the first runs for long.
class OneSlot : public SystemCluster {
 public:
  OneSlot() {
    installSchema();
    node = startReady({.id = "node-a", .slots = 1});
    const auto submitted =
        ctl({"task", "submit", "--type", "example", "--key", "k", "--meta", "subtasks: 3\nsleep_ms: 60000"});
    INFO(submitted.err);
    REQUIRE(submitted.exit_code == 0);
    REQUIRE(eventually([&] { return countOf("running") == "1" && countOf("pending") == "2"; }));
  }
  std::string countOf(const std::string& state) {
    return scalar("select count(*) from tidb_background_subtask where state='" + state + "'");
  }
  std::string taskState() { return scalar("select state from tidb_global_task"); }
  std::string idOf(int ordinal) {
    return scalar("select id from tidb_background_subtask where ordinal=" + std::to_string(ordinal));
  }

  NodeProcess node;
};

}  // namespace

TEST_CASE("Each JSON form has the fields that docs/disttaskctl.md documents, and lists have lines and names") {
  OneSlot cluster;
  const auto first = [&](const std::vector<std::string>& words) {
    auto arguments = words;
    arguments.insert(arguments.end(), {"-o", "jsonl"});
    const auto result = cluster.ctl(arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return Json::parse(result.out.substr(0, result.out.find('\n')));
  };
  const auto subtask = "id:" + cluster.idOf(3);
  CHECK(fieldsOf(first({"task", "ls"})) == documentedFields("task ls"));
  const auto shown = first({"task", "show", "k"});
  CHECK(fieldsOf(shown) == documentedFields("task show"));
  CHECK(fieldsOf(shown.find("steps")->asArray().at(0)) == documentedFields("task show steps"));
  CHECK(fieldsOf(first({"task", "subtasks", "k"})) == documentedFields("task subtasks"));
  CHECK(fieldsOf(first({"subtask", "show", subtask})) == documentedFields("subtask show"));
  CHECK(fieldsOf(first({"task", "events", "k"})) == documentedFields("task events"));
  CHECK(fieldsOf(first({"node", "events", "node-a"})) == documentedFields("task events"));
  CHECK(fieldsOf(first({"task", "why", "k"})) == documentedFields("task why reasons"));
  CHECK(fieldsOf(cluster.ctl({"task", "why", "k", "-o", "json"}).json()) == documentedFields("task why"));
  CHECK(fieldsOf(first({"node", "ls"})) == documentedFields("node ls"));
  CHECK(fieldsOf(first({"node", "uncordon", "node-a"})) == documentedFields("node cordon"));
  CHECK(fieldsOf(first({"plugin", "ls"})) == documentedFields("plugin ls"));
  CHECK(fieldsOf(first({"plugin", "check", EXAMPLE_PLUGIN})) == documentedFields("plugin check"));
  const auto settings = cluster.writeConfig({.id = "node-a"}).string();
  const auto checked = first({"config", "check", settings, "--online"});
  CHECK(fieldsOf(checked) == documentedFields("config check"));
  CHECK(fieldsOf(checked.find("checks")->asArray().at(0)) == documentedFields("config check checks"));
  CHECK(fieldsOf(first({"config", "show", settings})) == documentedFields("config show"));
  CHECK(fieldsOf(first({"schema", "status"})) == documentedFields("schema status"));
  CHECK(fieldsOf(first({"task", "submit", "--type", "example", "--key", "other"})) == documentedFields("task submit"));
  CHECK(fieldsOf(first({"task", "pause", "other"})) == documentedFields("task pause"));

  CHECK(fieldsOf(first({"schema", "install"})) == documentedFields("schema install"));
  CHECK(fieldsOf(first({"grants", "print"})) == documentedFields("grants print"));
  CHECK(fieldsOf(first({"history", "gc", "--older-than", "1d", "--yes"})) == documentedFields("history gc"));
  const auto seen = first({"node", "show", "node-a"});
  CHECK(fieldsOf(seen) == documentedFields("node show"));
  CHECK(fieldsOf(seen.find("runs")->asArray().at(0)) == documentedFields("node show runs"));
  const auto health = cluster.ctl({"doctor", "-o", "json"}).json();
  CHECK(fieldsOf(health) == documentedFields("doctor"));
  const auto top = first({"top"});
  CHECK(fieldsOf(top) == documentedFields("top"));
  CHECK(fieldsOf(top.find("nodes")->asArray().at(0)) == documentedFields("top nodes"));
  CHECK(fieldsOf(top.find("tasks")->asArray().at(0)) == documentedFields("top tasks"));
  cluster.execute(
      "insert into tidb_global_task_history (id, task_key, type, state, meta) values (99, 'old', 't', 'succeed', '{}')"
  );
  CHECK(fieldsOf(first({"history", "ls"})) == documentedFields("history ls"));
  cluster.execute("delete from tidb_global_task_history");
  // A node that is stopped for good is a note, so there is a finding to look at.
  cluster.execute("insert into disttask_node (exec_id, life, renewals, lease_ms) values ('gone', 0, 0, 3000)");
  const auto finding = cluster.ctl({"doctor", "-o", "json"}).json();
  CHECK(fieldsOf(finding.find("findings")->asArray().at(0)) == documentedFields("doctor findings"));
  cluster.execute("delete from disttask_node where exec_id='gone'");

  CHECK(cluster.ctl({"task", "ls", "--active", "-o", "name"}).out == "other\nk\n");
  CHECK(cluster.ctl({"node", "ls", "-o", "name"}).out == "node-a\n");
  CHECK(cluster.ctl({"task", "ls", "-o", "json"}).json().asArray().size() == 2);
  const auto table = cluster.ctl({"task", "ls"}).out;
  CHECK_THAT(table, Contains("Z\n") && !Contains(" ago"));
  CHECK_THAT(table, !Contains("\x1b"));
  CHECK_THAT(
      cluster.ctl({"task", "ls", "--time-format", "relative", "--color", "always"}).out, Contains("\x1b[36mrunning")
  );
  CHECK_THAT(
      cluster.ctl({"task", "why", "k", "--subtask", cluster.idOf(2)}).out,
      Contains("behind_own") && Contains("where as many of the task run as may at a time")
  );
  CHECK(cluster.node.stop() == 0);
}

TEST_CASE("The JSON forms of node forget, task resolve, plugin run and plugin new have the documented fields") {
  SystemCluster cluster;
  cluster.installSchema();
  cluster.execute("insert into disttask_node (exec_id, life, renewals, lease_ms) values ('gone', 0, 0, 3000)");
  cluster.execute(
      "insert into tidb_global_task (id, task_key, type, state, step, concurrency, priority, meta, target_scope) "
      "values "
      "(7, 'k', 'example', 'awaiting-resolution', 1, 1, 512, '{}', 'disttask')"
  );
  for (const char* state : {"failed", "pending"}) {
    cluster.execute(
        std::string("insert into tidb_background_subtask (step, task_key, type, exec_id, state, checkpoint, "
                    "concurrency, meta, ordinal, summary) values (1, '7', 0, 'gone', '") +
        state + "', '{}', 1, '{}', " + (*state == 'f' ? "1" : "2") + ", '{}')"
    );
  }
  const auto late = cluster.ctl({"node", "forget", "gone", "--reassign", "--timeout", "1s", "--yes", "-o", "json"});
  INFO(late.err);
  CHECK(late.exit_code == 4);
  CHECK(fieldsOf(late.json()) == std::set<std::string>{"node", "forgotten", "remaining"});
  CHECK(fieldsOf(late.json().find("remaining")->asArray().at(0)) == documentedFields("node forget remaining"));
  const auto resolved = cluster.ctl({"task", "resolve", "k", "--retry", "-o", "json"});
  INFO(resolved.err);
  CHECK(fieldsOf(resolved.json()) == documentedFields("task resolve"));
  cluster.execute("delete from tidb_background_subtask");
  CHECK(
      fieldsOf(cluster.ctl({"node", "forget", "gone", "--yes", "-o", "json"}).json()) == documentedFields("node forget")
  );

  const auto ran = cluster.ctl(
      {"plugin",
       "run",
       EXAMPLE_PLUGIN,
       "--meta",
       R"({"subtasks": 1, "sleep_ms": 1500})",
       "--kill-after",
       "700ms",
       "-o",
       "json"}
  );
  INFO(ran.out << ran.err);
  CHECK(fieldsOf(ran.json()) == documentedFields("plugin run"));
  CHECK(fieldsOf(ran.json().find("subtasks")->asArray().at(0)) == documentedFields("plugin run subtasks"));
  CHECK(fieldsOf(ran.json().find("killed")->asArray().at(0)) == documentedFields("plugin run killed"));
  const auto made =
      cluster.ctl({"plugin", "new", "add_up", "--dir", (cluster.folder() / "add_up").string(), "-o", "json"});
  CHECK(fieldsOf(made.json()) == documentedFields("plugin new"));
}

TEST_CASE("subtask show has the last lines that the plugin logged, with node and time") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "node-a", .slots = 1});
  const auto ended = cluster.submit("k", "subtasks: 2\nfail_at: 2", {"--wait"});
  REQUIRE(ended.exit_code == 1);
  const auto failed = cluster.scalar("select id from tidb_background_subtask where state='failed'");
  Json json;
  REQUIRE(eventually([&] {
    json = cluster.ctl({"subtask", "show", failed, "-o", "json"}).json();
    return !json.find("log")->asArray().empty();
  }));
  const auto& line = json.find("log")->asArray().at(0);
  CHECK(fieldsOf(line) == documentedFields("subtask show log"));
  CHECK(line.find("level")->asString() == "warn");
  CHECK(line.find("text")->asString() == "told to fail; subtask show has this line");
  CHECK(json.find("log_node")->asString() == "node-a");
  CHECK(json.find("log_earlier")->asInt() == 0);
  const auto ended_at = std::stoll(cluster.scalar("select unix_timestamp(max(end_time)) from tidb_background_subtask"));
  CHECK(std::abs(line.find("at_ms")->asInt() / 1000 - ended_at) <= 2);
  const auto text = cluster.ctl({"subtask", "show", failed}).out;
  INFO(text);
  CHECK_THAT(
      text,
      Contains("by node-a, written ") && Contains("Z  warn   told to fail; subtask show has this line") &&
          Contains("whole log")
  );
  // The other one logged nothing.
  const auto quiet = cluster.scalar("select min(id) from tidb_background_subtask where state<>'failed'");
  CHECK(cluster.ctl({"subtask", "show", quiet, "-o", "json"}).json().find("log")->asArray().empty());
  CHECK(cluster.scalar("select count(*) from disttask_run_log") == "1");
  // On the tables of the version before there are none, and nothing else is missing.
  cluster.execute("drop table disttask_run_log");
  cluster.execute("update disttask_schema set version=1");
  CHECK(cluster.ctl({"subtask", "show", failed}).exit_code == 0);
  CHECK_THAT(cluster.ctl({"doctor"}).out, Contains("degraded") && Contains("disttaskctl schema install"));
  CHECK(cluster.ctl({"schema", "install"}).exit_code == 0);
  CHECK(cluster.ctl({"doctor"}).exit_code == 0);
  CHECK(node.stop() == 0);
}

TEST_CASE("What destroys needs a yes where nobody can be asked, and an interrupted wait leaves the task alone") {
  OneSlot cluster;
  const auto refused = cluster.ctl({"task", "cancel", "k"});
  CHECK(refused.exit_code == 5);
  CHECK_THAT(refused.err, Contains("Cancel task 'k'") && Contains("--yes"));
  CHECK(cluster.ctl({"node", "forget", "node-a"}).exit_code == 5);
  CHECK(cluster.ctl({"subtask", "cancel", cluster.idOf(3)}).exit_code == 5);
  CHECK(cluster.taskState() == "running");

  const auto waiting = cluster.startCtl({"task", "wait", "k"});
  REQUIRE(waiting->waitForText("running"));
  waiting->kill(SIGINT);
  const auto end = waiting->wait();
  REQUIRE(end);
  CHECK(end->exit_code == 130);
  CHECK_THAT(waiting->errors(), Contains("the task goes on") && Contains("disttaskctl task cancel 'k'"));
  CHECK(cluster.taskState() == "running");

  // The one that runs ends with its task only; a canceled one decides the end of the task.
  const auto runs = cluster.ctl({"subtask", "cancel", cluster.idOf(1), "--yes"});
  CHECK(runs.exit_code == 5);
  CHECK_THAT(runs.err, Contains("is running on node node-a"));
  const auto canceled = cluster.ctl({"subtask", "cancel", "id:" + cluster.idOf(3), "--yes", "-q"});
  CHECK(canceled.exit_code == 0);
  CHECK(canceled.err.empty());
  const auto ended = cluster.ctl({"task", "wait", "k", "--timeout", "60s"});
  INFO(ended.err << cluster.node.process->errors());
  CHECK(ended.exit_code == 6);
  CHECK_THAT(ended.out, Contains("reverted (cancelled)") && Contains("subtask 3 of step 1 was cancelled by user"));
  CHECK_THAT(
      cluster.ctl({"subtask", "show", cluster.idOf(3)}).out, Contains("canceled") && Contains("number 3 of step 1")
  );
  CHECK(cluster.ctl({"subtask", "show", "999999"}).exit_code == 3);
  CHECK(cluster.node.stop() == 0);
}

TEST_CASE("A meta is validated before the row is written, and a dry run says what would come of it") {
  SystemCluster cluster;
  cluster.installSchema();
  auto a = cluster.startReady({.id = "node-a", .slots = 2});
  const auto submit = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"task", "submit", "--type", "example", "--key", "k"};
    words.insert(words.end(), more.begin(), more.end());
    return cluster.ctl(words);
  };
  const auto none = cluster.folder().path() / "none";
  std::filesystem::create_directory(none);
  const auto wrong = submit({"--plugin", EXAMPLE_PLUGIN, "--meta", "subtasks: many"});
  CHECK(wrong.exit_code == 2);
  CHECK_THAT(wrong.err, Contains("--meta is not what type 'example' wants"));
  const auto required = submit({"--plugins-dir", none, "--validate", "require"});
  CHECK(required.exit_code == 5);
  CHECK_THAT(required.err, Contains("no plugin here offers type 'example'"));
  CHECK(submit({"--meta", "import.json"}).exit_code == 2);
  CHECK(submit({"--key", "--wait"}).exit_code == 2);

  const auto dry = submit({"--plugin", EXAMPLE_PLUGIN, "--meta", "subtasks: 5", "--dry-run", "-o", "json"});
  INFO(dry.out << dry.err);
  CHECK(dry.exit_code == 0);
  CHECK(fieldsOf(dry.json()) == documentedFields("task submit --dry-run"));
  CHECK(dry.json().find("subtasks")->asInt() == 5);
  CHECK(dry.json().find("nodes")->find("node-a")->asInt() == 5);
  const auto missing = submit({"--plugins-dir", none, "--dry-run", "--scope", "elsewhere"});
  CHECK(missing.exit_code == 1);
  CHECK_THAT(missing.out, Contains("the plugin: no plugin here offers") && Contains("a node: "));
  CHECK(cluster.scalar("select count(*) from tidb_global_task") == "0");

  const auto unseen = submit({"--plugins-dir", none, "--meta", "{\"subtasks\": 2}", "--wait"});
  CHECK(unseen.exit_code == 0);
  CHECK_THAT(unseen.err, Contains("the meta was not validated here") && !Contains("warning"));
  CHECK(a.stop() == 0);
}

TEST_CASE("A dry run of a key that was used before says what the submit does: the old task, or a refusal") {
  SystemCluster cluster;
  cluster.installSchema();
  auto a = cluster.startReady({.id = "node-a", .slots = 2});
  REQUIRE(cluster.submit("k", "{}").exit_code == 0);
  const auto dry = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--plugin", EXAMPLE_PLUGIN, "--dry-run", "-o", "json"});
    return cluster.submit("k", "subtasks: 5", more);
  };
  const auto refused = dry({});
  CHECK(refused.exit_code == 5);
  CHECK_THAT(refused.err, Contains("--if-absent gives the old task"));
  const auto given = dry({"--if-absent"});
  INFO(given.out << given.err);
  CHECK(given.exit_code == 0);
  const auto json = given.json();
  CHECK(fieldsOf(json) == documentedFields("task submit --dry-run"));
  CHECK(std::to_string(json.find("existing")->asInt()) == cluster.scalar("select id from tidb_global_task"));
  CHECK(json.find("validated")->asBool());
  CHECK(json.find("subtasks")->asInt() == 0);
  CHECK(json.find("nodes")->asObject().empty());

  // As the submit: a wrong meta is refused all the same, and a plugin that is not here only where it must look.
  const auto submit = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"task", "submit", "--type", "example", "--key", "k", "--if-absent"};
    words.insert(words.end(), more.begin(), more.end());
    return cluster.ctl(words).exit_code;
  };
  CHECK(submit({"--dry-run", "--plugin", EXAMPLE_PLUGIN, "--meta", "subtasks: many"}) == 2);
  const auto none = (cluster.folder() / "none").string();
  std::filesystem::create_directory(none);
  CHECK(submit({"--dry-run", "--plugins-dir", none}) == 0);
  CHECK(submit({"--dry-run", "--plugins-dir", none, "--validate", "require"}) == 1);
  // A key that is new is as without the option.
  const auto fresh =
      cluster.submit("other", "subtasks: 5", {"--plugin", EXAMPLE_PLUGIN, "--dry-run", "--if-absent", "-o", "json"});
  CHECK(fresh.json().find("existing")->isNull());
  CHECK(fresh.json().find("subtasks")->asInt() == 5);
  CHECK(a.stop() == 0);
}

TEST_CASE("The runbook's command for subtasks that fail lists the tasks of such: reverted ones and those that wait") {
  SystemCluster cluster;
  cluster.installSchema();
  cluster.execute(
      "insert into tidb_global_task (task_key, type, state, step, concurrency, priority, meta, target_scope) values "
      "('undone', 'example', 'reverted', 1, 1, 512, '{}', 'disttask'), "
      "('waits', 'example', 'awaiting-resolution', 1, 1, 512, '{}', 'disttask'), "
      "('good', 'example', 'succeed', 1, 1, 512, '{}', 'disttask')"
  );
  cluster.execute(
      "insert into tidb_global_task_history (id, task_key, type, state, meta) values (99, 'old', 'example', "
      "'reverted', '{}')"
  );
  const auto page = readFile(std::string(DOCS_DIR) + "/operations.md");
  const std::string begin = "`disttaskctl ";
  const auto at = page.find(begin, page.find("### DisttaskSubtasksFail")) + begin.size();
  std::istringstream text(page.substr(at, page.find('`', at) - at));
  std::vector<std::string> words;
  for (std::string word; text >> word;) words.push_back(word);
  words.insert(words.end(), {"-o", "name"});
  const auto found = cluster.ctl(words);
  INFO(found.err);
  std::istringstream lines(found.out);
  std::set<std::string> keys;
  for (std::string line; std::getline(lines, line);) keys.insert(line);
  CHECK(keys == std::set<std::string>{"old", "undone", "waits"});
}

TEST_CASE("The nightly recipe keeps its date over restarts, and repeats only what passes by itself") {
  const auto page = readFile(DISTTASKCTL_PAGE);
  const auto after = [&](const std::string& mark, const std::string& end) {
    const auto begin = page.find(mark);
    REQUIRE(begin != std::string::npos);
    return page.substr(begin + mark.size(), page.find(end, begin) - begin - mark.size());
  };
  // As systemd reads it: continued lines, %% for %, and words in quotes.
  auto script = after("ExecStart=/bin/sh -c '", "'\nRestart=");
  for (std::size_t at = 0; (at = script.find("\\\n")) != std::string::npos;) script.replace(at, 2, " ");
  for (std::size_t at = 0; (at = script.find("%%")) != std::string::npos;) script.erase(at, 1);
  const TempDir folder;
  for (const auto& [name, text] : std::map<std::string, std::string>{
           {"disttaskctl", "#!/bin/sh\necho \"$@\"\n"}, {"date", "#!/bin/sh\necho \"$NIGHT\"\n"}}) {
    const auto file = folder.write(name, text);
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  }
  const auto run = folder.path() / "run";
  std::filesystem::create_directory(run);
  const auto keyOf = [&](const std::string& night) {
    const auto result = runProgram(
        {"/bin/sh", "-c", script},
        {{"PATH", folder.path().string() + ":" + std::getenv("PATH")},  // NOLINT(concurrency-mt-unsafe)
         {"RUNTIME_DIRECTORY", run.string()},
         {"CREDENTIALS_DIRECTORY", "/nowhere"},
         {"NIGHT", night}}
    );
    INFO(script << result.err);
    REQUIRE(result.exit_code == 0);
    CHECK_THAT(result.out, Contains("--password-file /nowhere/password task submit") && Contains("--if-absent"));
    std::istringstream words(result.out);
    for (std::string word; words >> word;) {
      if (word == "--key") words >> word;
      if (word.starts_with("nightly-")) return word;
    }
    return std::string("none");
  };
  CHECK(keyOf("2026-03-01") == "nightly-2026-03-01");
  CHECK(keyOf("2026-03-02") == "nightly-2026-03-01");  // a restart after midnight
  // systemd takes the folder away when the unit has ended.
  CHECK(page.find("\nRuntimeDirectoryPreserve=restart\n") != std::string::npos);
  std::filesystem::remove(run / "night");
  CHECK(keyOf("2026-03-02") == "nightly-2026-03-02");

  std::istringstream numbers(after("RestartPreventExitStatus=", "\n"));
  std::set<int> prevented;
  for (int number = 0; numbers >> number;) prevented.insert(number);
  // All codes of the page's table but those of success, of a store that is away, and of a signal.
  CHECK(prevented == std::set<int>{1, 2, 3, 4, 5, 6, 76, 77, 78});
  CHECK_THAT(page, Contains("\nStartLimitBurst="));
}

TEST_CASE("A submit warns when no node could run the task now, and is refused with more slots than any node has") {
  SystemCluster cluster;
  cluster.installSchema();
  auto a = cluster.startReady({.id = "node-a", .slots = 2});
  const auto submit = [&](const std::string& type, std::vector<std::string> more) {
    std::vector<std::string> words{"task", "submit", "--validate", "off", "--type", type};
    words.insert(words.end(), more.begin(), more.end());
    return cluster.ctl(words);
  };
  const auto unknown = submit("unknown", {"--key", "k"});
  CHECK(unknown.exit_code == 0);
  CHECK(unknown.out.starts_with("id:"));
  CHECK_THAT(
      unknown.err,
      Contains("warning: the task waits, since no live node offers type 'unknown' (disttaskctl task why id:")
  );
  // As task why says it.
  CHECK_THAT(cluster.ctl({"task", "why", "k"}).out, Contains("no live node offers type 'unknown'"));
  CHECK_THAT(submit("example", {"--scope", "other"}).err, Contains("is in scope 'other'"));
  CHECK_FALSE(submit("example", {}).err.find("warning") != std::string::npos);
  CHECK(submit("unknown", {"--quiet"}).err.empty());

  const auto large = submit("example", {"--slots", "8"});
  CHECK(large.exit_code == 5);
  CHECK_THAT(large.err, Contains("8 slots asked for; the largest known node has 2 (disttaskctl node ls shows all)"));
  CHECK(a.stop() == 0);
  CHECK_THAT(submit("example", {}).err, Contains("no node is alive"));
}

TEST_CASE("Where the tables are missing each command says how they are made") {
  SystemCluster cluster;
  for (const bool has_database : {false, true}) {
    if (has_database) cluster.makeDatabase();
    for (const auto& words : std::vector<std::vector<std::string>>{{"task", "ls"}, {"node", "ls"}, {"history", "ls"}}) {
      const auto result = cluster.ctl(words);
      INFO(words[0] << result.err);
      CHECK(result.exit_code == 76);
      CHECK_THAT(result.err, Contains("disttaskctl schema install makes them"));
    }
  }
}
