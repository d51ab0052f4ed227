// Somebody else holds a row that the owner has to change.
#include "disttask/observability/log_capture.hpp"
#include "live_roles.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using namespace std::chrono_literals;

namespace {

storage::mysql::StoreSettings shortWaits(SchedulerFixture& fixture) {
  auto settings = fixture.store().settings();
  settings.lease = 5s;  // waits for locks are a part of it
  return settings;
}

scheduler::SchedulerSettings quick() {
  scheduler::SchedulerSettings settings;
  settings.idle_interval = 50ms;
  settings.busy_interval = 20ms;
  settings.call_limit = 500ms;
  return settings;
}

}  // namespace

TEST_CASE(
    "A silent node whose own row somebody holds keeps no other work waiting, and is evicted once it is free",
    "[db][scheduler][locks]"
) {
  SchedulerFixture fixture;
  fixture.addNode("a");
  fixture.addNode("silent");
  fixture.store().execute("update disttask_node set lease_ms=1000 where exec_id='silent'");
  const auto connection = fixture.store().connect();
  connection->begin();
  connection->queryDynamic("test.hold", "select life from disttask_node where exec_id='silent' for update", {});

  storage::mysql::Store store(shortWaits(fixture), runtime::systemClock());
  const observability::LogCapture log;
  const LiveOwner owner(store, "a", quick());
  REQUIRE(eventually(30s, [&] { return log.count("node could not be evicted; tried again") > 0; }));
  const auto waiting = fixture.addTask("waiting");
  CHECK(eventually(20s, [&] {
    return fixture.text("select count(*) from disttask_plan where task_id=" + std::to_string(waiting.id.value())) ==
           "1";
  }));
  CHECK(log.count("scheduler round failed") == 0);
  connection->rollback();
  CHECK(eventually(20s, [&] { return fixture.text("select life from disttask_node where exec_id='silent'") == "0"; }));
}

TEST_CASE(
    "A row of a dead node that somebody holds keeps no other work waiting, and is taken back once it is free",
    "[db][scheduler][locks]"
) {
  SchedulerFixture fixture;
  fixture.addNode("a");
  // Both are dead; the locked one comes first.
  for (const auto* node : {"dead-1", "dead-2"}) fixture.addNode(node);
  fixture.store().execute("update disttask_node set life=0 where exec_id like 'dead-%'");
  const auto held = fixture.addTask("held", "running", 1);
  const auto free = fixture.addTask("free", "running", 1);
  const auto locked = fixture.addSubtask(held.id, 1, 1, "dead-1", "running", 9);
  const auto other = fixture.addSubtask(free.id, 1, 1, "dead-2", "running", 9);
  const auto waiting = fixture.addTask("waiting");
  fixture.store().execute("update tidb_global_task set concurrency=1");  // there is room for all three

  const auto connection = fixture.store().connect();
  connection->begin();
  connection->queryDynamic(
      "test.hold", "select id from tidb_background_subtask where id=" + std::to_string(locked) + " for update", {}
  );

  storage::mysql::Store store(shortWaits(fixture), runtime::systemClock());
  const LiveOwner owner(store, "a", quick());
  const auto isPlanned = [&] {
    return fixture.text("select count(*) from disttask_plan where task_id=" + std::to_string(waiting.id.value())) ==
           "1";
  };
  CHECK(eventually(20s, isPlanned));
  CHECK(eventually(20s, [&] { return fixture.row(other).state == "pending"; }));
  CHECK(fixture.row(locked).state == "running");
  connection->rollback();
  CHECK(eventually(20s, [&] { return fixture.row(locked).state == "pending"; }));
}
