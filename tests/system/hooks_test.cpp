// The hooks of a task type in real daemons: when they are called, how often, and that no death loses one.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <fstream>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

/// Daemons with the task type `hooks`, whose runs and hooks leave lines in a file.
class HookScene {
 public:
  HookScene() { cluster.installSchema(); }

  NodeProcess start(const std::string& id) {
    return cluster.startReady(
        {.id = id, .more = fmt::format("scheduler: {{history_after: 0s}}\nplugins:\n  list: [{}]\n", HOOKS_PLUGIN)}
    );
  }
  void submit(int subtasks, int fail_at, int hook_failures) {
    const auto meta = fmt::format(
        R"({{"trace": "{}", "subtasks": {}, "fail_at": {}, "hook_failures": {}}})",
        trace,
        subtasks,
        fail_at,
        hook_failures
    );
    const auto result = cluster.ctl({"task", "submit", "--type", "hooks", "--key", "k", "--meta", meta});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
  }
  /// Keeps a hook that has left its line from returning.
  void hold(const std::string& hook) const { std::ofstream(trace + ".hold-" + hook) << "x"; }
  void letGo(const std::string& hook) const { std::filesystem::remove(trace + ".hold-" + hook); }
  /// What was called, in order; `with_pid`: and by which process.
  [[nodiscard]] std::vector<std::string> calls(bool with_pid = false) const {
    std::ifstream file(trace);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(with_pid ? line : line.substr(0, line.find(' ')));
    return lines;
  }
  [[nodiscard]] std::int64_t count(const std::string& what) const {
    const auto all = calls();
    return std::count(all.begin(), all.end(), what);
  }
  [[nodiscard]] bool waitForHistory() const {
    return eventually([&] { return cluster.scalar("select count(*) from tidb_global_task") == "0"; });
  }
  [[nodiscard]] std::string numActive() const {
    return cluster.scalar("select count(*) from tidb_background_subtask where state in ('pending','running')");
  }
  [[nodiscard]] std::string state() const { return cluster.scalar("select state from tidb_global_task"); }

  SystemCluster cluster;
  const std::string trace = (cluster.folder() / "trace").string();
};

}  // namespace

TEST_CASE("A clean-up hook is called once when its task has ended, before it goes to history, and again after an error"
) {
  HookScene scene;
  const bool succeeds = GENERATE(true, false);
  const std::string hook = succeeds ? "cleanup-succeeded" : "cleanup-reverted";
  auto node = scene.start("a");
  scene.hold("revert");
  scene.hold(hook);
  scene.submit(3, succeeds ? 0 : 2, 1);
  INFO(node.process->errors());
  if (!succeeds) {
    // After one failure its revert hook has been called a second time and holds.
    REQUIRE(eventually([&] { return scene.count("revert") == 2; }));
    CHECK(scene.state() == "reverting");
    CHECK(scene.numActive() == "0");
    CHECK(scene.count(hook) == 0);
    scene.letGo("revert");
  }
  REQUIRE(eventually([&] { return scene.count(hook) == 2; }));
  CHECK(scene.state() == (succeeds ? "succeed" : "reverted"));
  CHECK(scene.numActive() == "0");
  CHECK(scene.calls().back() == hook);  // no run after it
  scene.letGo(hook);
  REQUIRE(scene.waitForHistory());
  CHECK(scene.count(hook) == 2);
  CHECK(scene.count("revert") == (succeeds ? 0 : 2));
  CHECK(scene.count(succeeds ? "cleanup-reverted" : "cleanup-succeeded") == 0);
  CHECK(node.stop() == 0);
}

TEST_CASE("A hook whose node, the owner, is killed by kill -9 while it runs is called again by the next one") {
  HookScene scene;
  const std::string hook = GENERATE("revert", "cleanup-succeeded");
  auto doomed = scene.start("doomed");
  scene.hold(hook);
  scene.submit(2, hook == "revert" ? 1 : 0, 0);
  REQUIRE(eventually([&] { return scene.count(hook) == 1; }));
  const auto first_pid = scene.calls(true).back();
  REQUIRE(scene.cluster.scalar("select exec_id from disttask_owner") == "doomed");
  REQUIRE(
      scene.cluster.scalar("select group_concat(planner) from disttask_plan where complete=0 and failed=0") == "doomed"
  );
  auto other = scene.start("other");
  doomed.process->kill(SIGKILL);
  scene.letGo(hook);
  REQUIRE(scene.waitForHistory());
  INFO(other.process->errors());
  CHECK(scene.count(hook) >= 2);
  CHECK(
      scene.cluster.scalar("select state from tidb_global_task_history") == (hook == "revert" ? "reverted" : "succeed")
  );
  CHECK(scene.count(hook == "revert" ? "cleanup-reverted" : "cleanup-succeeded") >= 1);
  for (const auto& line : scene.calls(true)) {
    if (line.starts_with(hook) && line != first_pid) CHECK(line == hook + " " + std::to_string(other.process->pid()));
  }
  CHECK(other.stop() == 0);
}
