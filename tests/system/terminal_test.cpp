// The tool in a terminal, as people sit before it: what they see, what they are asked, and how the terminal is left.
#include "private_server.hpp"
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <functional>

using namespace disttask;
using namespace disttask::test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

namespace {

constexpr TerminalSize kSmall{80, 24};
constexpr TerminalSize kLarge{200, 50};
constexpr const char* kLeft = "\x1b[?25h\x1b[?1049l";
/// Longer than a test: what is drawn is drawn for another reason than the time.
constexpr const char* kNever = "1h";

/// Tasks that no node runs; the last one's key is wider than a small terminal.
class WaitingTasks : public SystemCluster {
 public:
  explicit WaitingTasks(int count, const std::string& socket = "") : SystemCluster(socket) {
    installSchema();
    for (int i = 1; i < count; ++i) insert("task-" + std::to_string(i));
    insert(wide_key);
  }
  void insert(const std::string& key) const {
    execute(
        "insert into tidb_global_task (task_key, type, state, step, concurrency, priority, create_time, meta, "
        "target_scope) values ('" +
        key + "', 'example', 'pending', -1, 1, 512, now() - interval 3 hour, '{}', 'disttask')"
    );
  }
  /// Starts `top` and waits for its first picture.
  std::unique_ptr<TerminalProcess> startTop(TerminalSize size, const char* interval = kNever) const {
    auto top = startInTerminal({"top", "--interval", interval}, size);
    INFO(top->written());
    REQUIRE(top->waitForText("q quit"));
    return top;
  }

  const std::string wide_key = "wide-" + std::string(120, 'k') + "-end";
};

/// The tool has ended, and the terminal is as it was before.
void checkLeft(TerminalProcess& program, const termios& before) {
  CHECK_THAT(program.written(), Contains(kLeft));
  CHECK(areSame(program.modes(), before));
  const auto picture = program.picture();
  CHECK_FALSE(picture.is_other_screen);
  CHECK(picture.has_cursor);
}

/// A terminal of its own that nobody has touched.
termios freshModes() {
  TerminalProcess program({"true"}, {}, kSmall);
  REQUIRE(program.wait());
  return program.modes();
}

std::size_t countOf(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("top fills a terminal of any size, follows when it is resized, and no line is wider") {
  WaitingTasks cluster(40);
  auto top = cluster.startTop(kSmall);
  const auto small = top->picture();
  INFO(small.text());
  CHECK(small.is_other_screen);
  CHECK_FALSE(small.has_cursor);
  CHECK(small.num_wrapped == 0);
  CHECK_THAT(small.lines[0], Contains("0 of 0 nodes live") && Contains("40 tasks"));
  CHECK_THAT(small.lines.back(), Contains("q quit"));
  CHECK_THAT(small.text(), Contains("... and ") && Contains(" more tasks") && !Contains(cluster.wide_key));
  CHECK((top->modes().c_lflag & (ECHO | ICANON)) == 0);

  auto begin = top->written().size();
  top->resize(kLarge);
  REQUIRE(eventually([&] { return top->picture(begin).lines.back().find("q quit") != std::string::npos; }));
  const auto large = top->picture(begin);
  INFO(large.text());
  CHECK(large.num_wrapped == 0);
  CHECK_THAT(large.text(), Contains(cluster.wide_key) && Contains("task-39") && !Contains("more tasks"));
  CHECK(countOf(large.text(), "q quit") == 1);

  begin = top->written().size();
  top->resize(kSmall);
  REQUIRE(eventually([&] { return top->picture(begin).lines.back().find("q quit") != std::string::npos; }));
  CHECK(top->picture(begin).text().substr(8) == small.text().substr(8));  // but for the time of day
  CHECK(top->picture(begin).num_wrapped == 0);

  begin = top->written().size();
  top->type("s");
  REQUIRE(top->waitForText("s sort by key", begin));
  top->type("q");
  CHECK(top->wait()->exit_code == 0);
}

TEST_CASE("top leaves the terminal as it was, whether a key, a signal or the store ends it") {
  const auto before = freshModes();
  WaitingTasks cluster(1);
  const auto end = [&](const std::function<void(TerminalProcess&)>& how) {
    auto top = cluster.startTop(kSmall);
    CHECK_FALSE(areSame(top->modes(), before));
    how(*top);
    const auto ended = top->wait();
    REQUIRE(ended);
    checkLeft(*top, before);
    CHECK_THAT(top->written(), EndsWith(kLeft));
    return ended->exit_code;
  };
  CHECK(end([](auto& top) { top.type("q"); }) == 0);
  CHECK(end([](auto& top) { top.type("\x03"); }) == 0);
  for (const int signal : {SIGTERM, SIGHUP, SIGQUIT}) {
    INFO(signal);
    CHECK(end([&](auto& top) { top.kill(signal); }) == 128 + signal);
  }

  // Nothing can be seen or typed any more.
  auto closed = cluster.startTop(kSmall);
  closed->hangUp();
  CHECK(closed->wait()->exit_code == 128 + SIGHUP);

  auto without = cluster.startTop(kSmall, "500ms");
  cluster.execute("drop table tidb_global_task");
  const auto ended = without->wait();
  INFO(without->picture().text());
  CHECK(ended->exit_code == 76);
  checkLeft(*without, before);
  // What it says is on the screen that stays.
  auto text = without->picture().text();
  text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());  // a line may end within a name
  CHECK_THAT(text, Contains("disttaskctl: ") && Contains("tidb_global_task"));
}

TEST_CASE("top is one plain picture when no key can be typed, though it is seen on a terminal") {
  const auto before = freshModes();
  const WaitingTasks cluster(3);
  const auto settings = cluster.connectSettings();
  TerminalProcess program(
      {"sh", "-c", std::string(DISTTASKCTL) + " top </dev/null"},
      {{"DISTTASK_STORE", cluster.storeAddress()},
       {"DISTTASK_PASSWORD", settings.password ? settings.password() : std::string()},
       {"TERM", "xterm-256color"}},
      kLarge
  );
  const auto end = program.wait();
  REQUIRE(end);
  INFO(program.written());
  CHECK(end->exit_code == 0);
  CHECK_THAT(program.written(), Contains("0 of 0 nodes live") && Contains("task-1") && !Contains("\x1b[?1049h"));
  CHECK_THAT(program.written(), !Contains("q quit"));
  CHECK(areSame(program.modes(), before));
}

TEST_CASE("top says that the store is away, goes on when it is back, and leaves a clean terminal meanwhile") {
  const auto before = freshModes();
  const PrivateServer server;
  WaitingTasks cluster(1, server.socket());
  auto top = cluster.startTop(kSmall, "500ms");
  auto other = cluster.startTop(kSmall, "500ms");
  server.stop();
  REQUIRE(top->waitForText("! "));
  REQUIRE(other->waitForText("! "));
  const auto picture = top->picture();
  INFO(picture.text());
  CHECK(picture.num_wrapped == 0);
  CHECK_THAT(picture.lines[1], Catch::Matchers::StartsWith("! "));
  CHECK_THAT(picture.lines.back(), Contains("q quit"));
  other->kill(SIGTERM);
  CHECK(other->wait()->exit_code == 128 + SIGTERM);
  checkLeft(*other, before);
  server.start();
  REQUIRE(eventually([&] { return top->picture().text().find("! ") == std::string::npos; }));
  top->type("q");
  CHECK(top->wait()->exit_code == 0);
  checkLeft(*top, before);
}

TEST_CASE("task watch redraws in place on a terminal until the task has ended") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "node-a", .slots = 1});
  REQUIRE(cluster.submit("k", "subtasks: 2\nsleep_ms: 60000").exit_code == 0);
  REQUIRE(eventually([&] { return cluster.scalar("select state from tidb_global_task") == "running"; }));
  cluster.execute("update tidb_global_task set create_time = now() - interval 3 hour");

  const auto start = [&] { return cluster.startInTerminal({"task", "watch", "k", "--interval", "100ms"}, kSmall); };
  auto watch = start();
  INFO(watch->written());
  REQUIRE(watch->waitForText("running, step 1:   0% 0/2 subtasks"));
  REQUIRE(eventually([&] { return countOf(watch->written(), "\x1b[J") >= 3; }));
  const auto going_on = watch->picture();
  INFO(going_on.text());
  CHECK(countOf(going_on.text(), "STEP") == 1);
  CHECK_THAT(going_on.text(), Contains("running") && Contains("3 h ago"));
  CHECK(going_on.num_wrapped == 0);
  watch->type("\x03");
  CHECK(watch->wait()->exit_code == 130);
  CHECK_THAT(watch->picture().text(), Contains("the task goes on"));

  // What is too long for the screen is left out at its end.
  auto tiny = cluster.startInTerminal({"task", "watch", "k", "--interval", "100ms"}, {80, 8});
  REQUIRE(eventually([&] { return countOf(tiny->written(), "\x1b[J") >= 3; }));
  CHECK_THAT(tiny->picture().text(), Contains(" more lines"));
  CHECK(countOf(tiny->picture().text(), "more lines") == 1);

  auto to_the_end = start();
  REQUIRE(to_the_end->waitForText("running"));
  REQUIRE(cluster.ctl({"task", "cancel", "k", "--yes"}).exit_code == 0);
  CHECK(to_the_end->wait()->exit_code == 6);
  CHECK_THAT(to_the_end->picture().text(), Contains("reverted (cancelled)"));
  CHECK(countOf(to_the_end->picture().text(), "STEP") == 1);
  CHECK(node.stop() == 0);
}

TEST_CASE("Ctrl-C ends plugin run with 130 though the terminal tells the plugin's process as well, and nothing is left"
) {
  const TempDir folder;
  TerminalProcess program(
      {DISTTASKCTL, "plugin", "run", EXAMPLE_PLUGIN, "--meta", R"({"subtasks": 1, "sleep_ms": 60000})"},
      {{"TMPDIR", folder.path().string()}},
      kLarge
  );
  REQUIRE(program.waitForText("step planned"));
  CHECK_FALSE(std::filesystem::is_empty(folder.path()));
  program.type("\x03");
  const auto end = program.wait();
  REQUIRE(end);
  INFO(program.written());
  CHECK(end->exit_code == 130);
  CHECK_THAT(
      program.written(), Contains("interrupted: the plugin's process was killed as it ran") && !Contains("crashed")
  );
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("On a terminal what destroys asks, and only a yes does it") {
  const WaitingTasks cluster(2);
  const auto state = [&] { return cluster.scalar("select state from tidb_global_task where task_key='task-1'"); };
  const auto cancel = [&](const std::string& answer) {
    auto program = cluster.startInTerminal({"task", "cancel", "task-1"});
    REQUIRE(program->waitForText("[y/N]"));
    CHECK_THAT(program->picture().text(), Contains("Cancel task 'task-1' (id:"));
    CHECK(state() == "pending");
    program->type(answer);
    return program->wait()->exit_code;
  };
  for (const std::string no : {"n\n", "\n", "\x04"}) CHECK(cancel(no) == 5);
  CHECK(state() == "pending");
  CHECK(cancel("y\n") == 0);
  CHECK(state() == "cancelling");
}

TEST_CASE("A terminal gets colours and relative times, unless it or its user wants none") {
  const WaitingTasks cluster(1);
  cluster.execute("update tidb_global_task set state='paused'");
  const auto list = [&](std::vector<std::string> more, const std::map<std::string, std::string>& environment) {
    more.insert(more.begin(), {"task", "ls"});
    auto program = cluster.startInTerminal(more, kLarge, environment);
    CHECK(program->wait()->exit_code == 0);
    return program->written();
  };
  const std::string colour = "\x1b[33mpaused";
  CHECK_THAT(list({}, {}), Contains(colour) && Contains("3 h ago") && !Contains("Z\r\n"));
  CHECK_THAT(list({}, {{"NO_COLOR", "1"}}), !Contains("\x1b"));
  CHECK_THAT(list({}, {{"TERM", "dumb"}}), !Contains("\x1b"));
  CHECK_THAT(list({"--color", "never"}, {}), !Contains("\x1b"));
  CHECK_THAT(list({"--color", "always"}, {{"NO_COLOR", "1"}, {"TERM", "dumb"}}), Contains(colour));
  CHECK_THAT(list({"--time-format", "iso"}, {}), Contains("Z") && !Contains(" ago"));
  // A pipe gets the key whole, a terminal what fits.
  auto narrow = cluster.startInTerminal({"task", "ls"}, kSmall);
  CHECK(narrow->wait()->exit_code == 0);
  CHECK(narrow->picture().num_wrapped == 0);
  CHECK_THAT(narrow->written(), Contains("wide-") && !Contains(cluster.wide_key));
}
