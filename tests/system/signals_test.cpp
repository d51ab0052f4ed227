// Signals that arrive at any stage of a daemon's life: it ends with the code that is documented, and leaves nothing
// behind.
#include "system_cluster.hpp"

#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <functional>

using namespace disttask;
using namespace disttask::test;

namespace {

namespace fs = std::filesystem;

/// SIGHUP and SIGUSR1 must not end it, `last` must, and then nothing is left.
void endsCleanly(const SystemCluster& cluster, NodeProcess& node, int last, std::chrono::nanoseconds limit = kSoon) {
  node.process->kill(SIGHUP);
  node.process->kill(SIGUSR1);
  // Of pending signals the kernel delivers the lowest number first, so those two have had their effect before this one.
  node.process->kill(last);
  const auto end = node.process->wait(limit);
  INFO("signal " << last << ": " << node.process->errors());
  REQUIRE(end);
  CHECK(end->signal == 0);
  CHECK(end->exit_code == 0);
  CHECK(cluster.scalar("select count(*) from disttask_node where life<>0") == "0");
  CHECK(cluster.scalar("select count(*) from disttask_owner where life<>0") == "0");
}

/// A server that takes connections and never says a word.
class MuteServer {
 public:
  explicit MuteServer(std::string path)
      : path_(std::move(path)), socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path_.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    const auto* raw = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    REQUIRE(::bind(socket_, raw, sizeof address) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
  }
  MuteServer(const MuteServer&) = delete;
  MuteServer& operator=(const MuteServer&) = delete;
  ~MuteServer() { ::close(socket_); }

 private:
  const std::string path_;
  const int socket_;
};

/// Starts a daemon whose store is at this socket.
NodeProcess startAt(SystemCluster& cluster, const std::string& socket) {
  auto text = readFile(cluster.writeConfig({.id = "far"}));
  const auto store = text.find("store:\n");
  const auto schema = text.find("  schema:");
  text.replace(store, schema - store, "store:\n  socket: " + socket + "\n  connect_timeout: 2s\n  read_timeout: 2s\n");
  const auto config = cluster.folder().write("far-away.yaml", text);
  NodeProcess node;
  node.notify = std::make_unique<NotifySocket>(cluster.folder() / ("notify-" + fs::path(socket).filename().string()));
  node.process = std::make_unique<ChildProcess>(
      std::vector<std::string>{DISTTASKD, "--config", config.string()},
      std::map<std::string, std::string>{{"NOTIFY_SOCKET", node.notify->path()}, {"JOURNAL_STREAM", ""}}
  );
  return node;
}

}  // namespace

TEST_CASE("A signal before the settings are read ends the daemon with 0, a hang-up does not") {
  SystemCluster cluster;
  cluster.installSchema();
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto reached = cluster.folder() / ("reached-" + std::to_string(signal));
    auto node = cluster.start({.failpoints = "daemon.before_settings=touch:" + reached.string()});
    REQUIRE(eventually([&] { return fs::exists(reached); }));
    endsCleanly(cluster, node, signal);
    CHECK_THAT(node.process->errors(), Catch::Contains("stopped before it had started"));
  }
}

TEST_CASE("A signal while a plugin does not come back from its loading ends the daemon with 0") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto plugin = cluster.folder() / "hangs_in_init.so";
  fs::copy_file(HANGING_PLUGIN, plugin);
  for (const int signal : {SIGTERM, SIGINT}) {
    auto node = cluster.start({.more = "plugins:\n  list: [" + plugin.string() + "]\n"});
    REQUIRE(node.process->waitForText("starting"));
    const auto maps = "/proc/" + std::to_string(node.process->pid()) + "/maps";
    REQUIRE(eventually([&] { return readFile(maps).find("hangs_in_init.so") != std::string::npos; }));
    endsCleanly(cluster, node, signal);
  }
}

TEST_CASE("A signal while the daemon waits for its store ends it with 0, soon also when the store never answers") {
  SystemCluster cluster;
  cluster.installSchema();
  SECTION("nobody is there") {
    for (const int signal : {SIGTERM, SIGINT}) {
      auto node = startAt(cluster, (cluster.folder() / "absent").string());
      REQUIRE(node.notify->waitFor("waiting for the store"));
      endsCleanly(cluster, node, signal);
    }
  }
  SECTION("it is mute") {
    const auto socket = (cluster.folder() / "mute").string();
    const MuteServer server(socket);
    auto node = startAt(cluster, socket);
    REQUIRE(node.process->waitForText("pages are served"));
    endsCleanly(cluster, node, SIGTERM, std::chrono::seconds(30));
  }
}

TEST_CASE("A signal while the registration hangs ends the daemon with 0, and it is not registered") {
  SystemCluster cluster;
  cluster.installSchema();
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto lock = cluster.connect();
    lock->execute("lock tables disttask_node write");
    auto node = cluster.start({.id = "n" + std::to_string(signal)});
    REQUIRE(node.notify->waitFor("registering"));
    node.process->kill(SIGHUP);
    node.process->kill(SIGUSR1);
    node.process->kill(signal);
    REQUIRE(node.notify->waitFor("STOPPING=1"));
    lock->execute("unlock tables");
    const auto end = node.process->wait(std::chrono::seconds(30));
    INFO(node.process->errors());
    REQUIRE(end);
    CHECK(end->exit_code == 0);
    CHECK(cluster.scalar("select count(*) from disttask_node where life<>0") == "0");
  }
}

TEST_CASE("A signal while another life holds the id ends the daemon that waits with 0, and the other goes on") {
  SystemCluster cluster;
  cluster.installSchema();
  auto first = cluster.startReady({.id = "twin"});
  const auto life = cluster.scalar("select life from disttask_node where exec_id='twin'");
  for (const int signal : {SIGTERM, SIGINT}) {
    auto second =
        cluster.start({.id = "twin", .state_dir = (cluster.folder() / ("elsewhere-" + std::to_string(signal))).string()}
        );
    REQUIRE(second.notify->waitFor("STATUS=registering, waiting: "));
    second.process->kill(SIGHUP);
    second.process->kill(SIGUSR1);
    second.process->kill(signal);
    const auto end = second.process->wait();
    INFO("signal " << signal << ": " << second.process->errors());
    REQUIRE(end);
    CHECK(end->signal == 0);
    CHECK(end->exit_code == 0);
    CHECK_THAT(second.process->errors(), Catch::Contains("stopped before it had started"));
    CHECK(cluster.scalar("select life from disttask_node where exec_id='twin'") == life);
  }
  CHECK(first.process->isRunning());
  CHECK(first.stop() == 0);
}

TEST_CASE("A ready daemon outlives a hang-up and ends with 0 when it is told to stop") {
  SystemCluster cluster;
  cluster.installSchema();
  for (const int signal : {SIGTERM, SIGINT}) {
    auto node = cluster.startReady({.id = "n" + std::to_string(signal)});
    endsCleanly(cluster, node, signal, std::chrono::seconds(40));
  }
}

TEST_CASE("A daemon that stops takes a hang-up, and at its very end any signal, and ends with 0") {
  SystemCluster cluster;
  cluster.installSchema();
  const auto running = cluster.folder() / "running";
  const auto ending = cluster.folder() / "ending";
  auto node = cluster.startReady(
      {.failpoints = "executor.after_start=touch:" + running.string() + ";daemon.before_end=touch:" + ending.string()}
  );
  REQUIRE(cluster.ctl({"task", "submit", "--type", "example", "--key", "k"}).exit_code == 0);
  REQUIRE(eventually([&] { return fs::exists(running); }));
  node.process->kill(SIGTERM);
  REQUIRE(node.notify->waitFor("STOPPING=1"));
  node.process->kill(SIGHUP);
  node.process->kill(SIGUSR1);
  fs::remove(running);
  REQUIRE(eventually([&] { return fs::exists(ending); }));
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) node.process->kill(signal);
  fs::remove(ending);
  const auto end = node.process->wait();
  REQUIRE(end);
  CHECK(end->signal == 0);
  CHECK(end->exit_code == 0);
  CHECK(cluster.scalar("select count(*) from disttask_node where life<>0") == "0");
}
