// A password is nowhere where somebody else could read it: arguments, environments, logs, pages, and what the tools
// say.
#include "system_cluster.hpp"

#include "../unit/http/raw_client.hpp"
#include <catch2/catch.hpp>

#include <csignal>
#include <sstream>

using namespace disttask;
using namespace disttask::test;

namespace {

namespace fs = std::filesystem;

constexpr const char* kSecret = "Gr33nHushOfTheNight";

void isNotIn(const std::string& text, const std::string& place) {
  INFO(place << ": " << text);
  CHECK(text.find(kSecret) == std::string::npos);
}

/// Returns all processes that descend from this one, and itself.
std::vector<pid_t> familyOf(pid_t pid) {
  std::vector<pid_t> all{pid};
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::istringstream children(readFile(thread.path() / "children"));
    for (pid_t child = 0; children >> child;) {
      for (const auto each : familyOf(child)) all.push_back(each);
    }
  }
  return all;
}

void isNotInProcesses(pid_t pid, std::size_t at_least) {
  const auto family = familyOf(pid);
  CHECK(family.size() >= at_least);
  for (const auto each : family) {
    const auto folder = fs::path("/proc") / std::to_string(each);
    isNotIn(readFile(folder / "cmdline"), "arguments of " + std::to_string(each));
    isNotIn(readFile(folder / "environ"), "environment of " + std::to_string(each));
  }
}

/// A user of the store with the password, for as long as it lives.
class StoreUser {
 public:
  explicit StoreUser(const SystemCluster& cluster) : cluster_(cluster), name_("u_" + cluster.schema().substr(7, 12)) {
    cluster_.execute("create user '" + name_ + "' identified by '" + kSecret + "'");
    cluster_.execute("grant all on `" + cluster_.schema() + "`.* to '" + name_ + "'");
  }
  StoreUser(const StoreUser&) = delete;
  StoreUser& operator=(const StoreUser&) = delete;
  ~StoreUser() {
    try {
      cluster_.execute("drop user '" + name_ + "'");
    } catch (const std::exception&) {
      return;  // the server is gone
    }
  }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  const SystemCluster& cluster_;
  const std::string name_;
};

fs::path writeSecret(const SystemCluster& cluster) {
  const auto file = cluster.folder().write("hush", std::string(kSecret) + "\n");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  return file;
}

/// A server whose own account has a password already names the file with it.
std::string withoutPasswordFiles(const std::string& text) {
  std::istringstream lines(text);
  std::string left;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("password_file: ") == std::string::npos) left += line + "\n";
  }
  return left;
}

std::string withUser(std::string text, const std::string& user, const fs::path& password) {
  const auto at = text.find("  user: ");
  text.replace(at, text.find('\n', at) - at, "  user: " + user + "\n  password_file: " + password.string());
  return text;
}

std::uint16_t portOf(const std::string& log) {
  const std::string mark = "http://127.0.0.1:";
  const auto at = log.find(mark);
  REQUIRE(at != std::string::npos);
  return static_cast<std::uint16_t>(std::stoi(log.substr(at + mark.size())));
}

}  // namespace

TEST_CASE("A daemon shows the password of its store and of its connections nowhere") {
  SystemCluster cluster;
  cluster.installSchema();
  const StoreUser user(cluster);
  const auto secret = writeSecret(cluster);
  const auto base = cluster.writeConfig(
      {.more = "connections:\n  warehouse:\n" + withoutPasswordFiles(cluster.serverYaml("    ", "endpoint")) +
               "    password_file: " + secret.string() + "\n    types: [example]\n    schemas: [" + cluster.schema() +
               "]\n"}
  );
  auto text = readFile(base);
  const auto connections = text.find("connections:");
  text = withoutPasswordFiles(text.substr(0, connections)) + text.substr(connections);
  const auto config = cluster.folder().write("hushed.yaml", withUser(text, user.name(), secret));
  const auto checked = runProgram({DISTTASKD, "--config", config.string(), "--check-config"});
  INFO(checked.err);
  REQUIRE(checked.exit_code == 0);
  CHECK_THAT(checked.out, Catch::Contains(secret.string()));
  isNotIn(checked.out + checked.err, "--check-config");

  NodeProcess node;
  node.notify = std::make_unique<NotifySocket>(cluster.folder() / "notify-hushed");
  node.process = std::make_unique<ChildProcess>(
      std::vector<std::string>{DISTTASKD, "--config", config.string()},
      std::map<std::string, std::string>{{"NOTIFY_SOCKET", node.notify->path()}, {"JOURNAL_STREAM", ""}}
  );
  const bool ready = node.waitReady();
  INFO(node.process->errors());
  REQUIRE(ready);
  REQUIRE(cluster.ctl({"task", "submit", "--type", "example", "--key", "k", "--wait"}).exit_code == 0);
  isNotInProcesses(node.process->pid(), 1);
  const auto port = portOf(node.process->errors());
  for (const auto* page : {"/statusz", "/metrics", "/readyz?verbose", "/livez"}) isNotIn(get(port, page), page);

  // A login that fails has something to say, and says it without the password.
  cluster.execute("alter user '" + user.name() + "' identified by 'another'");
  std::istringstream sessions(cluster.scalar(
      "select group_concat(id separator ' ') from information_schema.processlist where user='" + user.name() + "'"
  ));
  for (std::string id; sessions >> id;) cluster.execute("kill " + id);
  REQUIRE(node.process->waitForText("Access denied"));
  isNotIn(get(port, "/statusz"), "/statusz without a store");
  isNotIn(get(port, "/readyz?verbose"), "/readyz without a store");
  node.process->kill(SIGTERM);
  REQUIRE(node.process->wait(std::chrono::seconds(40)));
  isNotIn(node.process->errors() + node.process->output() + node.notify->all(), "log and status");
}

TEST_CASE("disttaskctl keeps a password that it got in its environment from there on to itself") {
  SystemCluster cluster;
  cluster.installSchema();
  const StoreUser user(cluster);
  auto address = cluster.storeAddress();
  const auto at = address.find("://") + 3;
  const auto host = address.find('@');
  address.replace(at, host - at, user.name() + ":" + kSecret);

  const auto listed = runProgram({DISTTASKCTL, "task", "ls", "-o", "json"}, {{"DISTTASK_STORE", address}});
  INFO(listed.err);
  CHECK(listed.exit_code == 0);
  isNotIn(listed.out + listed.err, "task ls");
  const auto denied = runProgram(
      {DISTTASKCTL, "task", "ls"},
      {{"DISTTASK_STORE", cluster.storeAddress()}, {"DISTTASK_PASSWORD", std::string(kSecret) + "x"}}
  );
  isNotIn(denied.out + denied.err, "a refused login");
  for (const auto* broken : {"mysql://u:%s@h:x/", "mysql://u:%s%%zz@h/", "mysql:/u:%s@h/"}) {
    std::string text = broken;
    text.replace(text.find("%s"), 2, kSecret);
    const auto result = runProgram({DISTTASKCTL, "task", "ls"}, {{"DISTTASK_STORE", text}});
    CHECK(result.exit_code == 2);
    isNotIn(result.out + result.err, text);
  }

  // plugin run: the plugin is in a child of its own.
  ChildProcess trial(
      {DISTTASKCTL, "plugin", "run", EXAMPLE_PLUGIN, "--meta", R"({"subtasks": 1, "sleep_ms": 60000})"},
      {{"DISTTASK_STORE", address}, {"DISTTASK_PASSWORD", kSecret}}
  );
  REQUIRE(eventually([&] { return familyOf(trial.pid()).size() >= 2; }));
  isNotInProcesses(trial.pid(), 2);
  trial.kill(SIGINT);
  REQUIRE(trial.wait());
  isNotIn(trial.output() + trial.errors(), "plugin run");
}
