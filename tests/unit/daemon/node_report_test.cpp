#include "node_report.hpp"

#include "pages.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::app;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

NodeReport working() {
  NodeReport report;
  report.phase = Phase::kWorking;
  report.exec_id = "alpha";
  report.version = "1.2.3";
  report.slots = 8;
  report.slots_used = 2;
  report.tasks.resize(1);
  report.tasks[0].id = proto::TaskId(7);
  report.tasks[0].key = "nightly";
  report.tasks[0].type = "csv_import";
  report.runs = 3;
  report.store_answers = true;
  report.store_took = std::chrono::microseconds(1234);
  report.store_age = milliseconds(250);
  report.lease = seconds(30);
  report.lease_left = seconds(28);
  report.may_start = true;
  return report;
}

http::HttpResponse page(const NodeReport& report, const std::string& path, const std::string& query = "") {
  return makePage({[&] { return report; }, [](const NodeReport&) { return "numbers\n"; }}, {path, query});
}

}  // namespace

TEST_CASE("The status line says slots, tasks, runs and how quick the store is") {
  CHECK(statusLine(working()) == "2/8 slots, 1 tasks, 3 runs, store 1.2 ms");
}

TEST_CASE("The status line says what is wrong, the store first") {
  auto report = working();
  report.store_answers = false;
  report.store_age = seconds(42);
  report.lease_left = seconds(5);
  report.store_error = Error(ErrorCode::kStoreUnavailable, "connection refused");
  report.still_loops = {"poll"};
  report.http_trouble = "cannot listen";
  CHECK(
      statusLine(report) ==
      "2/8 slots, 1 tasks, 3 runs, store gone for 42 s, store_unavailable: connection refused, "
      "no confirmed lease renewal for 25 s, the poll loop stands still, cannot listen"
  );
}

TEST_CASE("The status says that settings were wrong at a reload, and what needs a restart") {
  auto report = working();
  report.reload_trouble = "wrong settings were not loaded";
  report.need_restart = {"node.lease", "store.user"};
  CHECK_THAT(
      statusLine(report),
      Catch::EndsWith(", wrong settings were not loaded, a restart is needed for node.lease, store.user")
  );
  const auto json = toJson(report);
  CHECK(json.find("settings")->find("trouble")->asString() == "wrong settings were not loaded");
  CHECK(json.find("settings")->find("need_restart")->asArray().size() == 2);
}

TEST_CASE("The status line says the wish, the role and the skew") {
  auto report = working();
  report.wanted = proto::WantedState::kDraining;
  report.is_owner = true;
  report.skew = 4;
  report.skew_task = 9;
  CHECK_THAT(
      statusLine(report), Catch::EndsWith(", draining, owner of the scheduler role, skew of 4 subtasks in task 9")
  );
}

TEST_CASE("The status line of a start and a stop says what it waits for") {
  NodeReport report;
  CHECK(statusLine(report) == "starting");
  report.waits_for = "waiting for the store: refused";
  CHECK(statusLine(report) == "starting: waiting for the store: refused");
  report.phase = Phase::kStopping;
  CHECK(statusLine(report) == "stopping: waiting for the store: refused");
}

TEST_CASE("A node is ready only while it works, its lease holds, the store answers and its loops move") {
  CHECK(page(working(), "/readyz").status == 200);
  CHECK(page(working(), "/readyz").body == "ok\n");
  CHECK(page(working(), "/readyz", "verbose").body == "[+] phase\n[+] lease\n[+] store\n[+] loops\nok\n");
  struct Case {
    void (*spoil)(NodeReport&);
    const char* text;
  };
  const Case cases[] = {
      {[](NodeReport& r) { r.phase = Phase::kStarting; }, "[-] phase: starting\n"},
      {[](NodeReport& r) { r.phase = Phase::kStopping; }, "[-] phase: stopping\n"},
      {[](NodeReport& r) {
         r.phase = Phase::kStarting;
         r.waits_for = "waiting for the store: host db7 refused it";
       },
       "[-] phase: starting: waiting for the store\n"},
      {[](NodeReport& r) { r.lease_left = {}; }, "[-] lease: this node has no life"},
      {[](NodeReport& r) { r.may_start = false; }, "[-] lease: no renewal was confirmed"},
      {[](NodeReport& r) { r.store_answers = false; }, "[-] store: gone for 0 s\n"},
      {[](NodeReport& r) { r.store_error = Error(ErrorCode::kStoreReadOnly, "host db7 is read-only"); },
       "[-] store: store_read_only\n"},
      {[](NodeReport& r) {
         r.still_loops = {"lease", "poll"};
       },
       "[-] loops: stand still: lease, poll\n"},
  };
  for (const auto& one : cases) {
    auto report = working();
    one.spoil(report);
    const auto answer = page(report, "/readyz");
    INFO(answer.body);
    CHECK(answer.status == 503);
    CHECK_THAT(answer.body, Catch::Contains(one.text) && Catch::EndsWith("not ready\n"));
    CHECK(answer.body.find("db7") == std::string::npos);
  }
}

TEST_CASE("A node is alive while its loops move, whatever the store does") {
  auto report = working();
  report.store_answers = false;
  report.lease_left = {};
  CHECK(page(report, "/livez").status == 200);
  report.still_loops = {"reactor"};
  CHECK(page(report, "/livez").status == 503);
  CHECK(page(report, "/livez").body == "stand still: reactor\n");
}

TEST_CASE("The status page is JSON with tasks, store, lease and skew") {
  auto report = working();
  report.is_owner = true;
  report.skew = 4;
  report.skew_task = 9;
  report.store_error = Error(ErrorCode::kStoreDiskFull, "disk full");
  const auto answer = page(report, "/statusz");
  CHECK(answer.content_type == "application/json");
  const auto json = Json::parse(answer.body);
  CHECK(json.find("phase")->asString() == "working");
  CHECK(json.find("slots")->find("used")->asInt() == 2);
  CHECK(json.find("tasks")->asArray().at(0).find("task_key")->asString() == "nightly");
  CHECK(json.find("scheduler")->find("skew")->asInt() == 4);
  CHECK(json.find("store")->find("error")->find("code")->asString() == "store_disk_full");
  CHECK(json.find("lease")->find("left_seconds")->asDouble() == Approx(28));
}

TEST_CASE("Pages that are not there list those that are") {
  CHECK(page(working(), "/").status == 200);
  const auto other = page(working(), "/admin/drain");
  CHECK(other.status == 404);
  CHECK_THAT(other.body, Catch::Contains("/readyz?verbose"));
  CHECK(page(working(), "/metrics").body == "numbers\n");
}
