#include "disttask/settings/loader.hpp"

#include "support.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::settings;
using namespace disttask::settings::test;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

TEST_CASE("A file that names only the store gets all defaults") {
  const auto settings = parse(kStore).value();
  CHECK(settings.node.id == "db-7.example");
  CHECK(settings.node.scope == "disttask");
  CHECK(settings.node.slots == 6);
  CHECK(settings.node.memory_bytes == 1 << 30);
  CHECK(settings.node.listen == "127.0.0.1:0");
  CHECK(settings.node.state_dir == "/var/lib/disttask");
  CHECK(settings.node.lease == 30s);
  CHECK(settings.store.schema == "disttask");
  CHECK(settings.polling.task_interval == 300ms);
  CHECK(settings.polling.subtask_interval == 300ms);
  CHECK(settings.polling.max_interval == 2s);
  CHECK(settings.scheduler.enabled);
  CHECK(settings.scheduler.max_tasks == 16);
  CHECK(settings.plugins.dir == "/usr/lib/disttask/plugins");
  CHECK(settings.log.level == LogLevel::kInfo);
}

TEST_CASE("All problems of a file are reported at once, by line and column") {
  CHECK(
      problemsOf("node:\n  slots: many\n  lease: 300\nstore:\n  socket: /s\n  poool: 4\nlog:\n  level: loud\n") ==
      Lines{
          "d.yaml:2:10: node.slots: value 'many', expected a whole number from 1 to 4096",
          "d.yaml:3:10: node.lease: value '300', needs a unit, such as 300ms",
          "d.yaml:6:3: store.poool: unknown key, did you mean 'pool'?",
          "d.yaml:8:10: log.level: value 'loud', expected debug or info or warn or error",
      }
  );
}

TEST_CASE("An unknown key gets the nearest name, or the list of known ones") {
  CHECK(problemsOf(kStore + "nod: {}\n") == Lines{"d.yaml:2:1: nod: unknown key, did you mean 'node'?"});
  CHECK(
      problemsOf(kStore + "scheduler:\n  colour: red\n") ==
      Lines{"d.yaml:3:3: scheduler.colour: unknown key; known here: enabled, max_tasks, history_after, history_keep"}
  );
}

TEST_CASE("A password in the file is refused with the way to do it, and not shown") {
  const auto problems = problemsOf("store:\n  socket: /s\n  passwd: hush\n");
  CHECK(
      problems == Lines{"d.yaml:3:3: store.passwd: unknown key; a password stands in a file of its own: password_file"}
  );
}

TEST_CASE("Wrong types say what was found and what is expected") {
  CHECK(
      problemsOf(kStore + "scheduler: {enabled: \"true\"}\n") ==
      Lines{"d.yaml:2:22: scheduler.enabled: value 'true', expected true or false"}
  );
  CHECK(
      problemsOf(kStore + "scheduler: {max_tasks: [1]}\n") ==
      Lines{"d.yaml:2:13: scheduler.max_tasks: value is a list, expected a whole number from 1 to 4096"}
  );
  CHECK(problemsOf(kStore + "node: 7\n") == Lines{"d.yaml:2:7: node: value '7', expected keys with values"});
  CHECK(
      problemsOf(kStore + "plugins: {list: {a: b}}\n") ==
      Lines{"d.yaml:2:11: plugins.list: value is a map, expected a list of texts"}
  );
  CHECK(
      problemsOf(kStore + "plugins:\n  list:\n    - [x]\n") ==
      Lines{"d.yaml:4:7: plugins.list: value is a list in the list, expected a text"}
  );
}

TEST_CASE("Values out of range name the range") {
  CHECK(
      problemsOf(kStore + "node: {slots: 0}\n") ==
      Lines{"d.yaml:2:15: node.slots: value '0', expected a whole number from 1 to 4096"}
  );
  CHECK(problemsOf(kStore + "node: {slots: 99999999999999999999}\n").size() == 1);
  CHECK(
      problemsOf(kStore + "node: {lease: 1s}\n") ==
      Lines{"d.yaml:2:15: node.lease: value '1s', expected a length of time from 3s to 1h"}
  );
  CHECK(
      problemsOf(kStore + "node: {memory: 12}\n") ==
      Lines{"d.yaml:2:16: node.memory: value '12', needs a unit, such as 12MiB"}
  );
  CHECK(
      problemsOf(kStore + "polling: {max_interval: 100ms}\n") ==
      Lines{
          "d.yaml:2:11: polling.max_interval: is shorter than task_interval or subtask_interval, expected at least the "
          "longer of them"}
  );
}

TEST_CASE("A node never takes a name that every host has") {
  auto nameless = facts();
  nameless.host_name = "localhost.localdomain";
  const auto parsed = parseSettings(kStore, "d.yaml", nameless);
  REQUIRE_FALSE(parsed);
  CHECK(
      parsed.error().message() ==
      "d.yaml:1:1: node.id: is missing, and this host calls itself 'localhost.localdomain', which identifies nobody; "
      "set "
      "node.id"
  );
  CHECK(problemsOf(kStore + "node: {id: \"localhost:2\"}\n").size() == 1);
  CHECK(parse(kStore + "node: {instance: b}\n").value().node.id == "db-7.example:b");
  auto instance = facts();
  instance.instance = "c";
  const auto with = [&instance](const std::string& node) {
    return parseSettings(kStore + node, "d.yaml", instance).value().node.id;
  };
  CHECK(with("") == "db-7.example:c");
  CHECK(with("node: {instance: b}\n") == "db-7.example:b");
  CHECK(with("node: {id: a}\n") == "a");
  CHECK(
      problemsOf(kStore + "node: {id: a, instance: b}\n") ==
      Lines{"d.yaml:2:15: node.instance: stands beside id, expected only one of them"}
  );
}

TEST_CASE("Listening on every address needs one to advertise") {
  CHECK(problemsOf(kStore + "node: {listen: \"0.0.0.0:7700\"}\n").size() == 1);
  CHECK(problemsOf(kStore + "node: {listen: \"0.0.0.0:7700\", advertise: 10.0.0.7}\n").empty());
  CHECK(
      problemsOf(kStore + "node: {listen: \"10.0.0.7:0\", advertise: db-7.example}\n") ==
      Lines{"d.yaml:2:30: node.advertise: value 'db-7.example', expected IP_ADDRESS or IP_ADDRESS:PORT"}
  );
  CHECK(
      problemsOf(kStore + "node: {listen: /run/x}\n") ==
      Lines{"d.yaml:2:8: node.listen: value '/run/x', expected IP_ADDRESS:PORT"}
  );
}

TEST_CASE("A text in which documents never end is refused, and reading it ends") {
  const auto problems = problemsOf("&sto,\xFFre> {so /run/db.sock}\n");
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Catch::StartsWith("d.yaml:1"));
}

TEST_CASE("Broken YAML, doubled keys and several documents are problems with a line") {
  CHECK_THAT(
      problemsOf("store: {socket: /s\nnode: [").at(0), Catch::StartsWith("d.yaml:") && Catch::Contains("no valid YAML")
  );
  CHECK(problemsOf(kStore + "log: {}\nlog: {}\n") == Lines{"d.yaml:3:1: the key 'log' stands twice"});
  CHECK_THAT(problemsOf(kStore + "---\nlog: {}\n").at(0), Catch::Contains("more than one YAML document"));
  CHECK_THAT(problemsOf("- a\n- b\n").at(0), Catch::Contains("value is a list, expected keys with values"));
}

TEST_CASE("An empty file says that the store is missing") {
  CHECK(problemsOf("") == Lines{"d.yaml:1:1: store: is missing, expected endpoints or socket of the server"});
}

TEST_CASE("An alias bomb and an alias of itself end as a problem, quickly") {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    const std::string before(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + std::string(1, c) + " [*" + before + ",*" + before + ",*" + before + ",*" +
            before + ",*" + before + "]\n";
  }
  CHECK_THAT(problemsOf(bomb).at(0), Catch::Contains("more than 20,000 values"));
  CHECK_THAT(problemsOf("a: &a [*a]\n").at(0), Catch::Contains("d.yaml:1"));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "[";
  CHECK_FALSE(problemsOf("a: " + deep).empty());
  for (int i = 0; i < 100; ++i) deep += "]";
  CHECK_THAT(problemsOf("a: " + deep).at(0), Catch::Contains("deeper than 32 levels"));
  CHECK_THAT(problemsOf(std::string((1 << 20) + 1, '#')).at(0), Catch::Contains("larger than 1 MiB"));
}

TEST_CASE("Configuration of a plugin reaches it as JSON by YAML's core schema") {
  const auto config = parse(kStore + R"(
plugins:
  config:
    t:
      text: "12"
      whole: 12
      hex: 0x1f
      real: 1.5
      flag: true
      nothing: ~
      list: [a, {b: c}]
)")
                          .value()
                          .plugins.config.at("t");
  CHECK(
      config ==
      Json::parse(R"({"text":"12","whole":12,"hex":31,"real":1.5,"flag":true,"nothing":null,"list":["a",{"b":"c"}]})")
  );
}

TEST_CASE("loadSettings names a file that cannot be read") {
  const auto loaded = loadSettings("/nowhere/d.yaml", facts());
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code() == ErrorCode::kInvalidConfig);
  CHECK(loaded.error().message() == "/nowhere/d.yaml: No such file or directory");
}

TEST_CASE("loadCtlSettings reads a store and nothing else") {
  const ScratchFile good("store: {socket: /s, user: me}\n");
  CHECK(loadCtlSettings(good.path(), facts()).value().user == "me");
  const ScratchFile bad("node: {}\nstore: {socket: /s}\n");
  CHECK_THAT(loadCtlSettings(bad.path(), facts()).error().message(), Catch::Contains(":1:1: node: unknown key"));
}

TEST_CASE("The service manager's state directory is a default, not more") {
  auto host = facts();
  CHECK(parseSettings(kStore, "d.yaml", host).value().node.state_dir == "/var/lib/disttask");
  host.state_dir = "/var/lib/disttask-b";
  CHECK(parseSettings(kStore, "d.yaml", host).value().node.state_dir == "/var/lib/disttask-b");
  CHECK(parseSettings(kStore + "node: {state_dir: /srv/s}\n", "d.yaml", host).value().node.state_dir == "/srv/s");
}

TEST_CASE("The time of a drain at a stop is a setting with a unit") {
  CHECK(parse(kStore).value().node.drain_timeout == std::chrono::seconds(30));
  CHECK(parse(kStore + "node: {drain_timeout: 2h}\n").value().node.drain_timeout == std::chrono::hours(2));
  CHECK(parse(kStore + "node: {drain_timeout: 0s}\n").value().node.drain_timeout == std::chrono::seconds(0));
  CHECK(problemsOf(kStore + "node: {drain_timeout: 25h}\n").size() == 1);
}

TEST_CASE("detectHostFacts finds at least one CPU and some memory") {
  const auto found = detectHostFacts();
  CHECK(found.cpu_count >= 1);
  CHECK(found.memory_bytes > 0);
  CHECK_FALSE(found.host_name.empty());
}
