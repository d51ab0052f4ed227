// The log of a daemon as a program reads it: what each line says, and that each change of state is one line.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <set>
#include <sstream>

using namespace disttask;
using namespace disttask::test;

namespace {

std::vector<Json> linesOf(const std::string& log) {
  std::vector<Json> lines;
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::string textOf(const Json& line, const char* key) {
  const auto* value = line.find(key);
  if (value == nullptr) return "";
  return value->isString() ? value->asString() : value->dump();
}

}  // namespace

TEST_CASE("Each line of a daemon says its node, each line about a task or subtask its task, key, type and step") {
  SystemCluster cluster;
  cluster.installSchema();
  auto text = readFile(cluster.writeConfig({.id = "alpha"}));
  const auto level = text.find("level: debug");
  REQUIRE(level != std::string::npos);
  text.replace(level, 12, "level: debug\n  format: json");
  // Ended tasks move to history while the others go on.
  const auto config = cluster.folder().write("json.yaml", text + "scheduler: {history_after: 0ms}\n");
  ChildProcess node({DISTTASKD, "--config", config.string()}, {{"JOURNAL_STREAM", ""}});
  REQUIRE(node.waitForText("\"message\":\"ready\""));
  const auto submit = [&](const std::string& key, const std::string& meta) {
    return cluster.submit(key, meta, {"--wait", "--timeout", "90s"}).exit_code;
  };
  CHECK(submit("good", R"({"subtasks": 3, "steps": 2})") == 0);
  CHECK(submit("bad", R"({"subtasks": 2, "fail_at": 2})") == 1);
  REQUIRE(node.waitForText("\"message\":\"task moved to history\""));
  // One of low rank gives its slots to one of high rank.
  const auto start = [&](const std::string& key, const std::string& priority, const std::string& meta) {
    return cluster.submit(key, meta, {"--slots", "2", "--priority", priority}).exit_code;
  };
  REQUIRE(start("low", "900", R"({"subtasks": 1, "sleep_ms": 60000})") == 0);
  REQUIRE(eventually([&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state='running'") == "1";
  }));
  REQUIRE(start("high", "100", R"({"subtasks": 1})") == 0);
  REQUIRE(cluster.ctl({"task", "wait", "high", "--timeout", "90s"}).exit_code == 0);
  CHECK(node.waitForText("\"message\":\"need to preempt tasks of low ranking\""));
  REQUIRE(cluster.ctl({"task", "cancel", "low", "--yes", "--wait", "--timeout", "90s"}).exit_code == 6);
  REQUIRE(cluster.submit("long", R"({"subtasks": 1, "sleep_ms": 60000})").exit_code == 0);
  REQUIRE(eventually([&] {
    return cluster.scalar("select count(*) from tidb_background_subtask where state='running'") == "1";
  }));
  node.kill(SIGTERM);
  REQUIRE(node.wait(std::chrono::seconds(40)));

  const auto lines = linesOf(node.errors());
  std::set<std::string> begun;
  std::set<std::string> ended;
  int num_cancels = 0;
  bool registered = false;
  for (const auto& line : lines) {
    INFO(line.dump());
    CHECK(textOf(line, "node") == "alpha");
    registered = registered || textOf(line, "message") == "ready";
    if (registered) CHECK(textOf(line, "epoch") == "1");
    const auto message = textOf(line, "message");
    const auto subtask = textOf(line, "subtask_id");
    // The preempted one begins again.
    const bool is_again = textOf(line, "task_key") == "low";
    if (message == "subtask runs") CHECK((begun.insert(subtask).second || is_again));
    if (message == "end of a subtask is written") CHECK((ended.insert(subtask).second || is_again));
    if (message == "subtask run canceled") {
      CHECK(textOf(line, "level") == "info");
      if (textOf(line, "task_key") == "long") {
        ++num_cancels;
        CHECK(textOf(line, "cause") == "shutdown");
      } else {
        CHECK(textOf(line, "task_key") == "low");
      }
    }
    if (message == "subtask ended with an error") CHECK(textOf(line, "task_key") == "bad");
    const auto task = textOf(line, "task_id");
    if (!subtask.empty() && subtask != "0") CHECK_FALSE(task.empty());
    if (task.empty() || task == "0") continue;
    CHECK_FALSE(textOf(line, "task_key").empty());
    CHECK(textOf(line, "type") == "example");
    CHECK_FALSE(textOf(line, "step").empty());
  }
  CHECK(registered);
  // The two of the preempted and the high one, two steps of three, two of the second task, of which the other may have
  // been cancelled before it began, and the long one.
  CHECK(begun.size() >= 8);
  CHECK(ended.size() >= 8);
  CHECK(num_cancels == 1);
}
