#include "support.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace disttask;
using namespace disttask::settings;
using namespace disttask::settings::test;
using Lines = std::vector<std::string>;
namespace fs = std::filesystem;

namespace {

/// A file of settings with a folder conf.d beside it.
struct ConfigFolder {
  explicit ConfigFolder(const std::string& text) : main(text) { fs::create_directory(dropIns()); }
  [[nodiscard]] std::string dropIns() const { return main.folder() + "/conf.d"; }
  std::string add(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const auto path = dropIns() + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  [[nodiscard]] SettingsRead read() const { return readSettings(main.path(), facts()); }
  [[nodiscard]] Lines problems() const {
    Lines lines;
    for (const auto& problem : read().problems) lines.push_back(toString(problem));
    return lines;
  }
  ScratchFile main;
};

}  // namespace

TEST_CASE("Files of conf.d are laid over the main file in the order of names: maps merged, all else replaced") {
  const ConfigFolder folder(
      "store: {socket: /run/db.sock, pool: {max_connections: 8}}\n"
      "node: {slots: 2, scope: a}\n"
      "plugins: {list: [a, b], config: {t: {x: 1, y: [1, 2]}}}\n"
  );
  const auto second = folder.add("20-b.yaml", "node: {slots: 7}\nplugins: {config: {t: {y: [3]}}}\n");
  const auto first = folder.add("10-a.yaml", "node: {slots: 5, scope: b}\nplugins: {list: [c]}\nlog: {level: warn}\n");
  folder.add("README", "no: yaml\n");
  folder.add(".10-a.yaml.swp.yaml", "no: yaml\n");
  const auto read = folder.read();
  REQUIRE(read.problems.empty());
  CHECK(read.files == Lines{folder.main.path(), first, second});
  CHECK(read.settings.node.slots == 7);
  CHECK(read.settings.node.scope == "b");
  CHECK(read.settings.store.pool.max_connections == 8);
  CHECK(read.settings.plugins.list == Lines{"c"});
  CHECK(read.settings.plugins.config.at("t") == Json::parse(R"({"x":1,"y":[3]})"));
  CHECK(read.settings.log.level == LogLevel::kWarn);
  CHECK(loadSettings(folder.main.path(), facts()).value().node.slots == 7);

  const auto originOfKey = [&](const std::string& name) -> std::string {
    for (const auto& value : valuesOf(read.settings)) {
      if (value.name() == name) return originOf(read, value);
    }
    return "none";
  };
  CHECK(originOfKey("node.slots") == second + ":1");
  CHECK(originOfKey("node.scope") == first + ":1");
  CHECK(originOfKey("store.socket") == folder.main.path() + ":1");
  CHECK(originOfKey("store.pool.max_connections") == folder.main.path() + ":1");
  CHECK(originOfKey("log.level") == first + ":3");
  CHECK(originOfKey("log.format") == "default");
  CHECK(originOfKey("node.id") == "default: host name, or HOSTNAME:instance");
}

TEST_CASE("A key without a value in a later file takes a value back, but no map") {
  const ConfigFolder folder("store: {endpoints: [127.0.0.1], schema: own, pool: {max_connections: 8}}\n");
  folder.add("a.yaml", "store: {endpoints: ~, socket: /run/db.sock, schema: ~, pool: }\nnode:\n");
  const auto read = folder.read();
  REQUIRE(read.problems.empty());
  CHECK(read.settings.store.endpoints.front().socket == "/run/db.sock");
  CHECK(read.settings.store.schema == "disttask");
  CHECK(read.settings.store.pool.max_connections == 8);
}

TEST_CASE("Problems of all files come at once and name the right one") {
  const ConfigFolder folder("store: {socket: /s}\nnode:\n  slots: many\n  scope: a\n");
  const auto first = folder.add("a.yaml", "node:\n  scpe: b\nlog: {level: loud}\n");
  const auto second = folder.add("b.yaml", "log: {format: text}\nlog: {format: json}\n");
  CHECK(
      folder.problems() ==
      Lines{
          folder.main.path() + ":3:10: node.slots: value 'many', expected a whole number from 1 to 4096",
          first + ":2:3: node.scpe: unknown key, did you mean 'scope'?",
          first + ":3:14: log.level: value 'loud', expected debug or info or warn or error",
          second + ":2:1: the key 'log' stands twice",
      }
  );
}

TEST_CASE("A file of conf.d that is broken, huge, a bomb or no map is refused by its name") {
  const ConfigFolder folder(kStore);
  const auto broken = folder.add("a.yaml", "node: [\n");
  const auto huge = folder.add("b.yaml", std::string((1 << 20) + 1, '#'));
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += fmt::format("{0}: &{0} [*{1},*{1},*{1},*{1},*{1}]\n", c, static_cast<char>(c - 1));
  }
  const auto bombed = folder.add("c.yaml", bomb);
  const auto list = folder.add("d.yaml", "- a\n");
  const auto misnamed = folder.add("e.yml", "log: {}\n");
  const auto problems = folder.problems();
  REQUIRE(problems.size() == 5);
  CHECK_THAT(problems[0], Catch::StartsWith(broken + ":") && Catch::Contains("no valid YAML"));
  CHECK(problems[1] == huge + ":1:1: the file is larger than 1 MiB");
  CHECK_THAT(problems[2], Catch::StartsWith(bombed + ":") && Catch::Contains("more than 20,000 values"));
  CHECK(problems[3] == list + ":1:1: value is a list, expected keys with values");
  CHECK(problems[4] == misnamed + ": is not read, expected a name that ends in .yaml");
}

TEST_CASE("Settings that everybody may write are refused, as a file and as a folder") {
  const ConfigFolder folder(kStore);
  const auto open = folder.add("a.yaml", "log: {}\n", 0602);
  const std::string words = ": may be written by everybody; take that right away with: chmod o-w";
  CHECK(folder.problems() == Lines{open + words});
  ::chmod(open.c_str(), 0644);
  CHECK(folder.problems().empty());
  ::chmod(folder.dropIns().c_str(), 0777);
  CHECK(folder.problems() == Lines{folder.dropIns() + words});
  ::chmod(folder.dropIns().c_str(), 0755);
  ::chmod(folder.main.path().c_str(), 0666);
  CHECK(folder.problems() == Lines{folder.main.path() + words});
}

TEST_CASE("What is no file in conf.d is refused without waiting, and so are too many files") {
  const ConfigFolder folder(kStore);
  const auto pipe = folder.dropIns() + "/a.yaml";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(folder.problems() == Lines{pipe + ": is no regular file"});
  fs::remove(pipe);
  const auto gone = folder.dropIns() + "/b.yaml";
  fs::create_symlink("/nowhere.yaml", gone);
  CHECK(folder.problems() == Lines{gone + ": No such file or directory"});
  fs::remove(gone);
  for (int i = 0; i < 64; ++i) folder.add(std::to_string(i) + ".yaml", "");
  CHECK(folder.problems().empty());
  folder.add("64.yaml", "");
  CHECK(folder.problems() == Lines{folder.dropIns() + ": holds more than 64 files"});
}

TEST_CASE("changesOf names each key whose value differs, with both values and without secrets") {
  const auto before = parse(kStore + "node: {slots: 2}\nplugins: {config: {t: {token: a}}}\n").value();
  const auto after =
      parse(kStore + "node: {slots: 3, advertise: 10.0.0.7}\nplugins: {config: {t: {token: b}}}\n").value();
  Lines lines;
  for (const auto& change : changesOf(before, after)) {
    lines.push_back(change.any().name() + ": " + shownValue(change.before) + " > " + shownValue(change.after));
  }
  CHECK(
      lines ==
      Lines{
          "node.slots: 2 > 3",
          "node.advertise: nothing > \"10.0.0.7\"",
          "plugins.config.t: {\"token\":\"(not shown)\"} > {\"token\":\"(not shown)\"}"}
  );
  CHECK(changesOf(after, after).empty());
  CHECK(changesOf(after, before).back().after.key == nullptr);
}
