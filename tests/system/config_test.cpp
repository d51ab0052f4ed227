// disttaskctl config check --online: what a daemon with these settings would meet.
#include "private_server.hpp"
#include "system_cluster.hpp"

#include <catch2/catch.hpp>

#include <fstream>

using namespace disttask;
using namespace disttask::test;

namespace {

CtlResult check(const std::filesystem::path& file) {
  return runProgram(
      {DISTTASKCTL, "config", "check", file.string(), "--online", "-o", "json"}, {{"DISTTASK_STORE", ""}}
  );
}

/// Returns the lines of one check as `state subject: text`.
std::vector<std::string> linesOf(const CtlResult& result, const std::string& name) {
  std::vector<std::string> lines;
  const auto json = result.json();
  for (const auto& line : json.find("checks")->asArray()) {
    if (line.find("check")->asString() != name) continue;
    // What is not well always comes with what to do.
    CHECK((line.find("state")->asString() == "ok") == line.find("remedy")->asString().empty());
    lines.push_back(
        line.find("state")->asString() + " " + line.find("subject")->asString() + ": " + line.find("text")->asString()
    );
  }
  return lines;
}

std::string firstOf(const CtlResult& result, const std::string& name) {
  const auto lines = linesOf(result, name);
  if (lines.empty()) FAIL("no check " << name << ": " << result.out << result.err);
  return lines.front();
}

}  // namespace

TEST_CASE("config check --online logs in and looks at schema, rights, clock, plugins and connections") {
  const PrivateServer server;
  SystemCluster cluster(server.socket());
  const NodeOptions options{
      .id = "alpha",
      .more = "connections:\n  good:\n    socket: " + server.socket() +
              "\n    user: root\n    types: [t]\n    schemas: [s]\n  away:\n    socket: /nowhere.sock\n    user: root\n"
              "    types: [t]\n    schemas: [s]\n"};
  const auto file = cluster.writeConfig(options);
  const auto before = check(file);
  CHECK(before.exit_code == 76);
  CHECK_THAT(firstOf(before, "schema"), Catch::StartsWith("failed"));
  cluster.installSchema();
  const auto result = check(file);
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK(result.json().find("ok")->asBool());
  CHECK(firstOf(result, "plugin") == std::string("ok ") + EXAMPLE_PLUGIN + ": offers example 1.0");
  CHECK_THAT(firstOf(result, "connect"), Catch::StartsWith("ok " + server.socket() + ": answers"));
  CHECK_THAT(firstOf(result, "tls"), Catch::StartsWith("ok"));
  CHECK_THAT(firstOf(result, "schema"), Catch::StartsWith("ok : version 2"));
  CHECK_THAT(firstOf(result, "grants"), Catch::StartsWith("ok"));
  CHECK_THAT(firstOf(result, "clock"), Catch::StartsWith("ok"));
  const auto connections = linesOf(result, "connection");
  REQUIRE(connections.size() == 2);
  CHECK_THAT(connections[0], Catch::StartsWith("warning away: "));
  CHECK_THAT(connections[1], Catch::StartsWith("ok good: "));
  // For people: one line each.
  const auto shown = runProgram({DISTTASKCTL, "config", "check", file.string(), "--online"});
  CHECK(shown.exit_code == 0);
  CHECK_THAT(shown.out, Catch::Contains(file.string() + ": ok\n") && Catch::Contains("grants      ok"));

  cluster.execute("create user poor@localhost");
  cluster.execute("grant select on `" + cluster.schema() + "`.* to poor@localhost");
  auto text = readFile(file);
  const auto at = text.find("  user: root\n");
  text.replace(at, 13, "  user: poor\n");
  const auto poor = check(cluster.folder().write("poor.yaml", text));
  CHECK(poor.exit_code == 77);
  const auto grants = linesOf(poor, "grants");
  REQUIRE(grants.size() > 1);
  CHECK_THAT(grants[0], Catch::StartsWith("failed") && Catch::Contains("may not"));
  text.replace(at, 13, "  user: nobody_at_all\n");
  const auto refused = check(cluster.folder().write("refused.yaml", text));
  CHECK(refused.exit_code == 77);
  CHECK_THAT(firstOf(refused, "connect"), Catch::StartsWith("failed"));
  CHECK(linesOf(refused, "schema").empty());
}

TEST_CASE("config check --online lives through a store that is away and through plugins that crash, hang or are none") {
  const TempDir folder;
  const auto text = [&](const std::string& plugins) {
    return "node: {id: n}\nstore: {socket: /nowhere.sock}\nplugins: " + plugins + "\n";
  };
  const auto away = check(folder.write("away.yaml", text(std::string("{list: [") + EXAMPLE_PLUGIN + "]}")));
  CHECK(away.exit_code == 69);
  CHECK_THAT(firstOf(away, "connect"), Catch::StartsWith("failed /nowhere.sock: "));
  CHECK_FALSE(away.json().find("ok")->asBool());

  const auto crash = check(folder.write("crash.yaml", text(std::string("{list: [") + CRASHING_PLUGIN + "]}")));
  CHECK(crash.exit_code == 78);
  CHECK_THAT(firstOf(crash, "plugin"), Catch::StartsWith("failed ") && Catch::Contains("calling init"));

  // In the folder it is left out, and so a warning.
  std::filesystem::create_directory(folder / "plugins");
  std::ofstream(folder / "plugins/broken.so") << "no library";
  const auto broken = check(folder.write("broken.yaml", text("{dir: " + (folder / "plugins").string() + "}")));
  CHECK(broken.exit_code == 69);
  CHECK_THAT(firstOf(broken, "plugin"), Catch::StartsWith("warning "));

  // The configuration of the settings reaches the plugin.
  const auto refused = check(folder.write(
      "refused.yaml", text(std::string("{list: [") + EXAMPLE_PLUGIN + "], config: {example: {allow_harm: maybe}}}")
  ));
  CHECK(refused.exit_code == 78);
  CHECK_THAT(firstOf(refused, "plugin"), Catch::Contains("plugins.config.example"));
}
