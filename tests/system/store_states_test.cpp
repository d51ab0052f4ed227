// Stores that answer, but do not let a daemon work: read-only, another password.
#include "private_server.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

/// A server with a user without special rights, and daemons that work as that user.
class PlainUser {
 public:
  PlainUser() : cluster_(server_.socket()) {
    cluster_.installSchema();
    setPassword("first");
    cluster_.execute("create user app@localhost identified by 'first'");
    cluster_.execute("grant all on `" + cluster_.schema() + "`.* to app@localhost");
  }
  SystemCluster& cluster() { return cluster_; }

  /// Writes the password that daemons read.
  void setPassword(const std::string& text) {
    const auto file = cluster_.folder().write("app-password", text + "\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  void setReadOnly(bool on) const { cluster_.execute(std::string("set global read_only = ") + (on ? "1" : "0")); }
  NodeProcess start(const std::string& id) {
    const auto text = readFile(cluster_.writeConfig({.id = id}));
    const std::string user = "  user: root\n";
    const auto at = text.find(user);
    REQUIRE(at != std::string::npos);
    const auto file = cluster_.folder().write(
        id + "-app.yaml",
        text.substr(0, at) + "  user: app\n  password_file: " + (cluster_.folder() / "app-password").string() + "\n" +
            text.substr(at + user.size())
    );
    NodeProcess node;
    node.notify = std::make_unique<NotifySocket>(cluster_.folder() / ("notify-" + id));
    node.process = std::make_unique<ChildProcess>(
        std::vector<std::string>{DISTTASKD, "--config", file.string()},
        std::map<std::string, std::string>{{"NOTIFY_SOCKET", node.notify->path()}, {"JOURNAL_STREAM", ""}}
    );
    return node;
  }
  [[nodiscard]] std::string lives() const {
    return cluster_.scalar("select group_concat(concat(exec_id, ':', life) order by exec_id) from disttask_node");
  }

 private:
  PrivateServer server_{{}};  // a MariaDB in each case: a TiDB has no read_only
  SystemCluster cluster_;
};

}  // namespace

TEST_CASE("A daemon waits for a store that takes no writes at its start, and says so") {
  PlainUser user;
  user.setReadOnly(true);
  auto node = user.start("node-a");
  REQUIRE(node.notify->waitFor("EXTEND_TIMEOUT_USEC="));
  REQUIRE(node.process->waitForText("store_read_only"));
  CHECK(node.notify->waitFor("--read-only option"));
  CHECK_FALSE(eventually(2s, [&] { return !node.process->isRunning() || node.notify->has("READY=1"); }));
  user.setReadOnly(false);
  INFO(node.process->errors());
  CHECK(node.waitReady());
  CHECK(node.stop() == 0);
}

TEST_CASE("Daemons live through a store that takes no writes for longer than their lease, and none is evicted") {
  PlainUser user;
  auto a = user.start("node-a");
  auto b = user.start("node-b");
  REQUIRE(a.waitReady());
  REQUIRE(b.waitReady());
  const auto lives = user.lives();
  const auto submitted = user.cluster().submit("k", R"({"subtasks": 4, "sleep_ms": 3000})");
  REQUIRE(submitted.exit_code == 0);
  REQUIRE(eventually([&] {
    return user.cluster().scalar("select count(*) from tidb_background_subtask where state='running'") == "2";
  }));
  user.setReadOnly(true);
  CHECK(a.notify->waitFor("store_read_only: "));  // in its STATUS
  CHECK_FALSE(eventually(9s, [&] { return !a.process->isRunning() || !b.process->isRunning(); }));
  user.setReadOnly(false);
  const auto result = user.cluster().ctl({"task", "wait", "k", "--timeout", "60s"});
  INFO(a.process->errors() << b.process->errors());
  CHECK(result.exit_code == 0);
  CHECK(user.lives() == lives);
  CHECK(a.stop() == 0);
  CHECK(b.stop() == 0);
}

TEST_CASE("A daemon whose password was changed goes on with the new one, without a restart") {
  PlainUser user;
  auto node = user.start("node-a");
  REQUIRE(node.waitReady());
  user.cluster().execute("alter user app@localhost identified by 'second'");
  // Its sessions are gone as well, as when the server restarts.
  const auto sessions =
      user.cluster().scalar("select group_concat(id) from information_schema.processlist where user = 'app'");
  REQUIRE_FALSE(sessions.empty());
  user.cluster().execute("kill user app@localhost");
  REQUIRE(node.process->waitForText("Access denied"));
  CHECK_FALSE(eventually(2s, [&] { return !node.process->isRunning(); }));
  user.setPassword("second");
  const auto result =
      user.cluster().ctl({"task", "submit", "--type", "example", "--key", "k", "--wait", "--timeout", "60s"});
  INFO(node.process->errors());
  CHECK(result.exit_code == 0);
  CHECK(node.stop() == 0);
}
