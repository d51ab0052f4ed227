#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace disttask::test;

TEST_CASE("A task of two steps runs on two nodes, and disttaskctl shows who did what") {
  SystemCluster cluster;
  cluster.installSchema();
  auto a = cluster.startReady({.id = "node-a"});
  auto b = cluster.startReady({.id = "node-b"});
  const auto submitted =
      cluster.submit("two-steps", R"({"subtasks": 6, "steps": 2, "sleep_ms": 50})", {"--parallel", "2", "--wait"});
  INFO(submitted.err << a.process->errors() << b.process->errors());
  REQUIRE(submitted.exit_code == 0);
  CHECK_THAT(submitted.err, Catch::Contains("submitted: task 'two-steps'") && Catch::Contains("succeed"));
  const auto shown = cluster.ctl({"task", "show", "two-steps", "-o", "json"}).json();
  CHECK(shown.find("state")->asString() == "succeed");
  const auto& steps = shown.find("steps")->asArray();
  REQUIRE(steps.size() == 2);
  for (const auto& step : steps) {
    CHECK(step.find("subtasks")->find("succeed")->asInt() == 6);
    CHECK(step.find("plan_complete")->asBool());
    CHECK(step.find("nodes")->asObject().size() == 2);
  }
  CHECK(shown.find("results")->asArray().size() == 6);
  const auto subtasks = cluster.ctl({"task", "subtasks", "two-steps", "-o", "json"}).json();
  CHECK(subtasks.asArray().size() == 12);
  CHECK(cluster.ctl({"plugin", "ls", "-o", "json"}).json().asArray().at(0).find("nodes")->asArray().size() == 2);
  CHECK_THAT(cluster.ctl({"task", "ls", "--all"}).out, Catch::Contains("two-steps") && Catch::Contains("succeed"));

  // A key is used once, for ever, whether its task is live or in history.
  const auto again = cluster.ctl({"task", "submit", "--type", "example", "--key", "two-steps"});
  CHECK(again.exit_code == 5);
  CHECK_THAT(again.err, Catch::Contains("id:" + std::to_string(shown.find("id")->asInt())));
  const auto absent = cluster.ctl({"task", "submit", "--type", "example", "--key", "two-steps", "--if-absent"});
  CHECK(absent.exit_code == 0);
  CHECK(absent.out == "id:" + std::to_string(shown.find("id")->asInt()) + "\n");
  CHECK(shown.find("parallel")->asInt() == 2);
  CHECK(a.stop() == 0);
  CHECK(b.stop() == 0);
}

TEST_CASE("A task is paused, modified and resumed while it runs, and nothing is lost") {
  SystemCluster cluster;
  cluster.installSchema();
  auto a = cluster.startReady({.id = "node-a"});
  auto b = cluster.startReady({.id = "node-b"});
  const auto counts = [&](const std::string& states) {
    return std::stoi(cluster.scalar("select count(*) from tidb_background_subtask where state in (" + states + ")"));
  };
  const auto state = [&] { return cluster.scalar("select state from tidb_global_task"); };
  REQUIRE(cluster.submit("k", R"({"subtasks": 30, "sleep_ms": 100})").exit_code == 0);
  REQUIRE(eventually([&] { return counts("'succeed'") > 2; }));
  const auto paused = cluster.ctl({"task", "pause", "k", "--wait", "--timeout", "60s"});
  INFO(paused.err << a.process->errors() << b.process->errors());
  REQUIRE(paused.exit_code == 0);
  REQUIRE(state() == "paused");
  CHECK_THAT(paused.out, Catch::Contains("PENDING  PAUSED  RUNNING"));
  const auto steps = cluster.ctl({"task", "show", "k", "-o", "json"}).json().find("steps")->asArray();
  CHECK(steps.at(0).find("subtasks")->find("paused")->asInt() > 0);
  CHECK(counts("'pending', 'running'") == 0);
  const auto done = counts("'succeed'");
  CHECK(done < 30);
  CHECK(cluster.ctl({"task", "pause", "k", "--wait"}).exit_code == 0);
  REQUIRE(cluster.ctl({"task", "modify", "k", "--slots", "2", "--priority", "3"}).exit_code == 0);
  REQUIRE(eventually([&] { return state() == "paused"; }));
  CHECK(cluster.scalar("select concat(concurrency, ' ', priority) from tidb_global_task") == "2 3");
  CHECK(counts("'succeed'") == done);
  const auto resumed = cluster.ctl({"task", "resume", "k", "--wait", "--timeout", "60s", "-o", "json"});
  REQUIRE(resumed.exit_code == 0);
  CHECK(resumed.json().find("state")->asString() == "running");
  const auto waited = cluster.ctl({"task", "wait", "k"});
  CHECK(waited.exit_code == 0);
  CHECK(counts("'succeed'") == 30);
  CHECK(cluster.scalar("select min(concurrency) from tidb_background_subtask") == "1");
  CHECK(cluster.scalar("select max(concurrency) from tidb_background_subtask") == "2");
  CHECK(cluster.ctl({"task", "resume", "k"}).exit_code == 5);
  CHECK(a.stop() == 0);
  CHECK(b.stop() == 0);
}

TEST_CASE("A task that has gone to history is shown as before, and its key stays used") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.more = "scheduler: {history_after: 0s}\n"});
  const auto submitted = cluster.submit("old", R"({"subtasks": 3})", {"--wait", "-o", "json"});
  INFO(submitted.err << node.process->errors());
  REQUIRE(submitted.exit_code == 0);
  REQUIRE(eventually([&] { return cluster.scalar("select count(*) from tidb_global_task") == "0"; }));
  for (const auto* table : {"tidb_background_subtask", "disttask_plan", "disttask_attempt"}) {
    CHECK(cluster.scalar(std::string("select count(*) from ") + table) == "0");
  }
  const auto before = submitted.json();
  const auto after = cluster.ctl({"task", "show", "old", "-o", "json"}).json();
  CHECK(after.find("steps")->dump() == before.find("steps")->dump());
  CHECK(after.find("results")->dump() == before.find("results")->dump());
  CHECK(cluster.ctl({"task", "submit", "--type", "example", "--key", "old"}).exit_code == 5);
  CHECK(node.stop() == 0);
}

TEST_CASE("A wait for a pause ends with 4 at its time limit, and with the code of the end when the task ends") {
  SystemCluster cluster;
  cluster.installSchema();
  // Nobody leads it: the task stays pausing.
  REQUIRE(cluster.ctl({"task", "submit", "--type", "example", "--key", "k"}).exit_code == 0);
  const auto limit = cluster.ctl({"task", "pause", "k", "--wait", "--timeout", "300ms"});
  CHECK(limit.exit_code == 4);
  CHECK_THAT(limit.err, Catch::Contains("pausing") && Catch::Contains("the time limit passed; the pause stays"));
  CHECK(cluster.scalar("select state from tidb_global_task") == "pausing");
  const auto waiting = cluster.startCtl({"task", "pause", "k", "--wait"});
  REQUIRE(waiting->waitForText("pausing"));
  cluster.execute("update tidb_global_task set state='reverted', error='cancelled by user'");
  const auto end = waiting->wait();
  REQUIRE(end);
  CHECK(end->exit_code == 6);
}

TEST_CASE("Who leaves the wait of a cancel, a pause, a resume or a modification is told what goes on and the way back"
) {
  SystemCluster cluster;
  cluster.installSchema();
  // Nobody leads it: the task stays as it was asked to be.
  REQUIRE(cluster.ctl({"task", "submit", "--type", "example", "--key", "k"}).exit_code == 0);
  struct Case {
    std::vector<std::string> words;
    const char* before;  ///< the state that it is asked in
    const char* after;
    const char* stays;
  };
  for (const auto& [words, before, after, stays] : std::vector<Case>{
           {{"task", "pause", "k"},
            "pending",
            "pausing",
            "the pause stays. To let the task go on once it is paused: disttaskctl task resume 'k'\n"},
           {{"task", "resume", "k"},
            "paused",
            "resuming",
            "the task goes on. To pause it once it runs: disttaskctl task pause 'k'\n"},
           {{"task", "modify", "k", "--slots", "2"},
            "pending",
            "modifying",
            "the change stays. To change it back: disttaskctl task modify 'k'\n"},
           {{"task", "cancel", "k", "--yes"},
            "running",
            "cancelling",
            "the cancel goes on. To wait again: disttaskctl task wait 'k'\n"}}) {
    INFO(words[1]);
    const auto with = [&, &words = words, &before = before](std::vector<std::string> more) {
      cluster.execute(std::string("update tidb_global_task set state='") + before + "'");
      more.insert(more.begin(), words.begin(), words.end());
      return more;
    };
    const auto waiting = cluster.startCtl(with({"--wait"}));
    // What is written once an interrupt is seen: a modification says that it is asked for, the others how the task is.
    REQUIRE(waiting->waitForText(words[1] == "modify" ? std::string("is being modified") : std::string("\n") + after));
    waiting->kill(SIGINT);
    const auto end = waiting->wait();
    REQUIRE(end);
    INFO(waiting->errors());
    CHECK(end->exit_code == 130);
    CHECK_THAT(waiting->errors(), Catch::EndsWith(std::string("\nno longer waiting; ") + stays));
    CHECK_THAT(waiting->errors(), !Catch::Contains("task cancel"));
    CHECK(cluster.scalar("select state from tidb_global_task") == after);
    if (words[1] == "modify") continue;  // its time limit names the nodes instead
    const auto limit = cluster.ctl(with({"--wait", "--timeout", "300ms"}));
    INFO(limit.err);
    CHECK(limit.exit_code == 4);
    CHECK_THAT(limit.err, Catch::EndsWith(std::string("the time limit passed; ") + stays));
    CHECK(cluster.scalar("select state from tidb_global_task") == after);
  }
  CHECK_THAT(
      cluster.ctl({"task", "cancel", "--help"}).out,
      Catch::Contains("the cancel goes on") && !Catch::Contains("the task goes on")
  );
}

TEST_CASE("A key may be submitted again and again with --if-absent --wait: it is one task, and each tells how it ended"
) {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({});
  const auto words = [](const std::string& key, const std::string& meta) {
    return std::vector<std::string>{
        "task", "submit", "--type", "example", "--key", key, "--meta", meta, "--if-absent", "--wait", "-o", "json"};
  };
  const auto check = [&](const std::string& key, const std::string& meta, int exit_code) {
    // New, and while it runs.
    const auto first = cluster.startCtl(words(key, meta));
    REQUIRE(eventually([&] {
      return cluster.scalar("select state from tidb_global_task where task_key='" + key + "'") == "running";
    }));
    const auto second = cluster.startCtl(words(key, meta));
    REQUIRE(second->waitForText("there already: task '" + key + "'"));
    if (exit_code == 6) {
      REQUIRE(first->waitForText("running"));
      REQUIRE(cluster.ctl({"task", "cancel", key, "--yes"}).exit_code == 0);
    }
    const auto first_end = first->wait();
    const auto second_end = second->wait();
    REQUIRE((first_end && second_end));
    INFO(first->errors() << second->errors());
    CHECK(first_end->exit_code == exit_code);
    CHECK_THAT(first->errors(), Catch::Contains("submitted: task '" + key + "'"));
    CHECK(second_end->exit_code == exit_code);
    // After it has ended, also by a submit of something else.
    const auto third = cluster.ctl(words(key, "{}"));
    CHECK(third.exit_code == exit_code);
    CHECK_THAT(third.err, Catch::Contains("there already: task '" + key + "'"));
    const auto id = cluster.scalar("select id from tidb_global_task where task_key='" + key + "'");
    for (const auto& out : {first->output(), second->output(), third.out})
      CHECK(std::to_string(Json::parse(out).find("id")->asInt()) == id);
  };
  check("good", R"({"subtasks": 1, "sleep_ms": 1500})", 0);
  check("bad", R"({"subtasks": 2, "sleep_ms": 1500, "fail_at": 2})", 1);
  check("stopped", R"({"subtasks": 1, "sleep_ms": 60000})", 6);
  CHECK(cluster.scalar("select count(*) from tidb_global_task") == "3");
  CHECK(node.stop() == 0);
}

TEST_CASE("A wait ends with 1 and the reason when the task fails") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({});
  const auto failed = cluster.submit("k", R"({"subtasks": 3, "fail_at": 2})", {"--wait"});
  CHECK(failed.exit_code == 1);
  CHECK_THAT(failed.out, Catch::Contains("this subtask was told to fail"));
  CHECK(node.stop() == 0);
}

TEST_CASE("A wait ends with 4 at its time limit and with 6 when the task was cancelled") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({});
  const auto limit =
      cluster.submit("k", R"({"subtasks": 3, "sleep_ms": 60000})", {"--slots", "2", "--wait", "--timeout", "1s"});
  CHECK(limit.exit_code == 4);
  REQUIRE(eventually([&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state='running'") == "1";
  }));
  const auto cancelled = cluster.ctl({"task", "cancel", "k", "--yes", "--wait", "--timeout", "60s"});
  INFO(cancelled.err << node.process->errors());
  CHECK(cancelled.exit_code == 6);
  CHECK_THAT(
      cancelled.err,
      Catch::Contains("reverted (cancelled), step 1: 0/3 subtasks, 3 canceled") && !Catch::Contains("100%")
  );
  CHECK_THAT(cluster.ctl({"task", "ls"}).out, Catch::Contains("reverted (cancelled)"));
  CHECK(cluster.ctl({"task", "cancel", "k", "--yes"}).exit_code == 5);
  CHECK(cluster.ctl({"task", "show", "nobody"}).exit_code == 3);
  CHECK(node.stop() == 0);
}

TEST_CASE("A graceful stop gives the running subtask back and another node goes on with it") {
  SystemCluster cluster;
  cluster.installSchema();
  auto leaving = cluster.startReady({.id = "leaving", .lease = "10m"});
  REQUIRE(cluster.submit("k", R"({"sleep_ms": 3000})").exit_code == 0);
  REQUIRE(eventually([&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state='running'") == "1";
  }));
  auto staying = cluster.startReady({.id = "staying", .lease = "10m"});
  CHECK(leaving.stop() == 0);
  const auto result = cluster.ctl({"task", "wait", "k", "--timeout", "60s", "-o", "json"});
  INFO(staying.process->errors());
  REQUIRE(result.exit_code == 0);
  CHECK(result.json().find("steps")->asArray().at(0).find("nodes")->find("staying") != nullptr);
  CHECK(staying.stop() == 0);
}

TEST_CASE("disttaskctl plugin check says what a plugin offers, or why it is refused") {
  const auto good = runProgram({DISTTASKCTL, "plugin", "check", EXAMPLE_PLUGIN, "-o", "json"});
  CHECK(good.exit_code == 0);
  CHECK(good.json().find("accepted")->asBool());
  CHECK(good.json().find("types")->asArray().at(0).find("type")->asString() == "example");
  const TempDir folder;
  const auto bad = runProgram({DISTTASKCTL, "plugin", "check", folder.write("bad.so", "no plugin").string()});
  CHECK(bad.exit_code == 5);
  CHECK_THAT(bad.err, Catch::StartsWith("disttaskctl: refused: "));
  CHECK(runProgram({DISTTASKCTL, "plugin", "check", "/nowhere.so"}).exit_code == 3);
}
