#include "system_cluster.hpp"

#include "../unit/http/raw_client.hpp"
#include <catch2/catch.hpp>

#include <csignal>

using namespace disttask;
using namespace disttask::test;

namespace {

/// Returns the port that a daemon says it serves its pages on.
std::uint16_t portOf(const NodeProcess& node) {
  const std::string mark = "http://127.0.0.1:";
  const auto text = node.process->errors();
  const auto at = text.find(mark);
  if (at == std::string::npos) FAIL("no pages: " << text);
  return static_cast<std::uint16_t>(std::stoi(text.substr(at + mark.size())));
}

std::string bodyOf(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("A daemon serves its pages, and shows on them what it does") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha"});
  const auto port = portOf(node);
  REQUIRE(eventually([&] { return get(port, "/readyz").find(" 200 ") != std::string::npos; }));
  CHECK_THAT(get(port, "/livez"), Catch::Contains(" 200 "));
  REQUIRE(cluster.submit("k", R"({"subtasks": 3})", {"--wait"}).exit_code == 0);
  const auto metrics = get(port, "/metrics");
  CHECK_THAT(metrics, Catch::Contains("disttask_slots 2\n") && Catch::Contains("disttask_scheduler_owner 1\n"));
  CHECK_THAT(metrics, !Catch::Contains("disttask_subtasks_started_total 0\n"));
  CHECK_THAT(metrics, !Catch::Contains("disttask_run_seconds_count{type=\"example\"} 0\n"));
  const auto status = Json::parse(bodyOf(get(port, "/statusz")));
  CHECK(status.find("node")->asString() == "alpha");
  CHECK(status.find("epoch")->asInt() == 1);
  CHECK(status.find("store")->find("answers")->asBool());
  CHECK_THAT(ask(port, "POST /statusz HTTP/1.1\r\n\r\n"), Catch::Contains(" 405 "));
  CHECK(node.stop() == 0);
}

TEST_CASE("A daemon whose page address is taken works on without pages and says so") {
  SystemCluster cluster;
  cluster.installSchema();
  auto first = cluster.startReady({.id = "alpha"});
  const auto port = std::to_string(portOf(first));
  auto second = cluster.startReady({.id = "beta", .more = "http: {listen: \"127.0.0.1:" + port + "\"}\n"});
  CHECK_THAT(
      second.process->errors(),
      Catch::Contains(
          "WARN pages cannot be served, trying again error=\"cannot listen on 127.0.0.1:" + port + " (HTTP)"
      )
  );
  CHECK(eventually([&] { return second.notify->has("cannot listen on 127.0.0.1:" + port); }));
  CHECK(first.stop() == 0);
  // The address is free now, and it is taken at the next look.
  CHECK(eventually([&] { return second.process->errors().find("pages are served") != std::string::npos; }));
  CHECK(second.stop() == 0);
}

TEST_CASE("A daemon shows its pages while it waits for its store: alive, not ready, and why") {
  const TempDir folder;
  const auto file = folder.write(
      "n.yaml",
      "node: {id: n, state_dir: " + (folder / "state").string() +
          "}\nstore: {socket: /nowhere.sock}\nhttp: {listen: \"127.0.0.1:0\"}\n"
  );
  const NodeProcess node{
      std::make_unique<NotifySocket>(folder / "notify"),
      std::make_unique<ChildProcess>(
          std::vector<std::string>{DISTTASKD, "--config", file.string()},
          std::map<std::string, std::string>{{"JOURNAL_STREAM", ""}}
      )};
  REQUIRE(eventually([&] { return node.process->errors().find("waiting for the store") != std::string::npos; }));
  const auto port = portOf(node);
  CHECK_THAT(get(port, "/livez"), Catch::Contains(" 200 "));
  const auto ready = get(port, "/readyz");
  CHECK_THAT(ready, Catch::Contains(" 503 ") && Catch::Contains("[-] phase: starting: waiting for the store"));
  CHECK_THAT(
      get(port, "/metrics"), Catch::Contains("disttask_ready 0\n") && !Catch::Contains("store_unavailable\"} 0\n")
  );
  CHECK(node.stop() == 0);
}

TEST_CASE("A daemon's page says why a task does not run, as the tool does") {
  SystemCluster cluster;
  cluster.installSchema();
  auto node = cluster.startReady({.id = "alpha"});
  const auto port = portOf(node);
  REQUIRE(
      cluster.ctl({"task", "submit", "--type", "nowhere", "--key", "a&b", "--meta", "{}", "--validate", "off"})
          .exit_code == 0
  );
  const auto page = get(port, "/why?task=a%26b");
  CHECK_THAT(page, Catch::Contains(" 200 ") && Catch::Contains("application/json"));
  const auto json = Json::parse(bodyOf(page));
  CHECK(json.find("key")->asString() == "a&b");
  const auto told = Json::parse(cluster.ctl({"task", "why", "a&b", "-o", "json"}).out);
  CHECK(json.find("reasons")->asArray().at(0).find("code")->asString() == "type_not_offered");
  CHECK(told.find("reasons")->asArray().at(0).find("code")->asString() == "type_not_offered");
  CHECK_THAT(get(port, "/why?task=none"), Catch::Contains(" 404 ") && Catch::Contains("there is no task 'none'"));
  CHECK_THAT(get(port, "/why?task=id:x"), Catch::Contains(" 400 ") && Catch::Contains("'id:x' is no id"));
  CHECK_THAT(get(port, "/why"), Catch::Contains(" 400 ") && Catch::Contains("no task is named"));
  CHECK_THAT(get(port, "/why?task=a%26b&subtask=x"), Catch::Contains(" 400 ") && Catch::Contains("'x' is no id"));
  CHECK_THAT(get(port, "/why?task=a%26b&subtask=999"), Catch::Contains(" 404 "));
  CHECK(node.stop() == 0);
}
