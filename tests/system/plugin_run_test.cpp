// disttaskctl plugin run: a plugin's task from plan to end without a store. disttaskctl plugin new: tests/install
// builds it.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace disttask::test;

namespace {

CtlResult runPlugin(const std::string& meta, std::vector<std::string> more = {}) {
  std::vector<std::string> words{DISTTASKCTL, "plugin", "run", EXAMPLE_PLUGIN, "--meta", meta, "-o", "json"};
  words.insert(words.end(), more.begin(), more.end());
  return runProgram(words, {{"DISTTASK_STORE", ""}});
}

std::string outcomeOf(const CtlResult& result) {
  return result.json().find("outcome")->asString();
}

}  // namespace

TEST_CASE("plugin run plans and runs all steps of a task, and shows results and what the plugin logged") {
  const auto result = runPlugin(R"({"subtasks": 3, "steps": 2, "result": "r"})");
  INFO(result.out << result.err);
  REQUIRE(result.exit_code == 0);
  const auto json = result.json();
  CHECK(json.find("outcome")->asString() == "succeeded");
  const auto& subtasks = json.find("subtasks")->asArray();
  REQUIRE(subtasks.size() == 6);
  for (const auto& row : subtasks) {
    CHECK(row.find("state")->asString() == "succeed");
    CHECK_THAT(row.find("result")->asString(), Catch::Contains("\"result\":\"r\""));
  }
  CHECK(subtasks.back().find("step")->asInt() == 2);
  CHECK_THAT(result.err, Catch::Contains("step planned step=2"));
}

TEST_CASE("plugin run --kill-after kills the run as kill -9 does, and the next life goes on from the checkpoint") {
  const auto result = runPlugin(R"({"subtasks": 2, "sleep_ms": 1500})", {"--kill-after", "700ms"});
  INFO(result.out << result.err);
  REQUIRE(result.exit_code == 0);
  const auto json = result.json();
  const auto& killed = json.find("killed")->asArray();
  REQUIRE(killed.size() == 1);
  const auto slept = Json::parse(killed[0].find("checkpoint")->asString()).find("slept_ms")->asInt();
  CHECK(slept >= 100);
  // Its run after the kill did the rest only: so many slices of 100 ms.
  const auto& first = json.find("subtasks")->asArray().at(0);
  CHECK(first.find("rows")->asInt() == 15 - slept / 100);
  CHECK(first.find("abnormal_ends")->asInt() == 1);
  CHECK(json.find("subtasks")->asArray().at(1).find("rows")->asInt() == 15);
  CHECK_THAT(result.err, Catch::Contains("killed while subtask 1 of step 1 ran"));
}

TEST_CASE("plugin run --kill-after fails what may not run twice") {
  const auto result = runPlugin(R"({"subtasks": 1, "sleep_ms": 1500, "idempotent": false})", {"--kill-after", "500ms"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.out, Catch::Contains("not idempotent"));
}

TEST_CASE(
    "plugin run --cancel-after cancels, and a failed, a wrong, a slow or a missing plugin is told by the exit code"
) {
  auto result = runPlugin(R"({"subtasks": 3, "sleep_ms": 20000})", {"--cancel-after", "300ms"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 6);
  CHECK(outcomeOf(result) == "cancelled");
  const auto cancelled = result.json();
  for (const auto& row : cancelled.find("subtasks")->asArray()) CHECK(row.find("state")->asString() == "canceled");
  result = runPlugin(R"({"subtasks": 2, "fail_at": 2})");
  CHECK(result.exit_code == 1);
  CHECK(outcomeOf(result) == "failed");
  result = runPlugin(R"({"subtasks": 2, "retry_at": 2})");
  CHECK(result.exit_code == 0);
  const auto retried = result.json();
  CHECK(retried.find("subtasks")->asArray().at(1).find("retries")->asInt() == 1);
  result = runPlugin(R"({"wrong": 2})");
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.out, Catch::Contains("meta.wrong"));
  CHECK(runPlugin("{", {}).exit_code == 2);
  CHECK(runPlugin("{}", {"--type", "other"}).exit_code == 5);
  result = runPlugin(R"({"sleep_ms": 60000})", {"--timeout", "500ms"});
  CHECK(result.exit_code == 4);
  CHECK(runProgram({DISTTASKCTL, "plugin", "run", "/nowhere/x.so"}).exit_code == 3);
}

TEST_CASE("A signal to plugin run alone ends its plugin's process, too") {
  const TempDir folder;
  for (const int signal : {SIGINT, SIGTERM}) {
    ChildProcess program(
        {DISTTASKCTL, "plugin", "run", EXAMPLE_PLUGIN, "--meta", R"({"subtasks": 1, "sleep_ms": 60000})"},
        {{"TMPDIR", folder.path().string()}}
    );
    REQUIRE(program.waitForText("step planned"));
    program.kill(signal);
    const auto end = program.wait();
    REQUIRE(end);
    INFO(program.errors());
    CHECK(end->exit_code == 128 + signal);
    CHECK(program.output().empty());
    CHECK_THAT(program.errors(), Catch::Contains("interrupted: the plugin's process was killed as it ran"));
    CHECK(std::filesystem::is_empty(folder.path()));
  }
}

TEST_CASE("plugin new writes a project once, with the name where it belongs") {
  const TempDir folder;
  const auto dir = (folder / "p").string();
  const auto made = runProgram({DISTTASKCTL, "plugin", "new", "add_up", "--dir", dir});
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  for (const char* file : {"CMakeLists.txt", "README.md", "src/plugin.cpp", "src/work.hpp", "tests/work_test.cpp"}) {
    const auto text = readFile((folder / "p" / file).string());
    CHECK_THAT(text, Catch::Contains("add_up") && !Catch::Contains("@NAME@") && !Catch::Contains("@TYPE@"));
  }
  CHECK(runProgram({DISTTASKCTL, "plugin", "new", "add_up", "--dir", dir}).exit_code == 5);
  CHECK(runProgram({DISTTASKCTL, "plugin", "new", "Add-Up", "--dir", dir + "2"}).exit_code == 2);
}
