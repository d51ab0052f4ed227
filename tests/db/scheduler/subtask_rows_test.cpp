#include "disttask/base/failpoint.hpp"
#include "scheduler_fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <utility>

using namespace disttask;
using namespace disttask::test;
using proto::Life;
using proto::Step;
using proto::SubtaskId;
using proto::TaskState;

namespace {

constexpr std::int64_t kIdempotent = 1001;
constexpr std::int64_t kOnce = 1002;  // bit 0 not set: may not run again
constexpr std::int32_t kLimit = 3;

}  // namespace

TEST_CASE("Running rows of an evicted node go back by what their token says", "[db][scheduler][rows]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  fixture.addNode("other");
  const auto node = fixture.addNode("dead");
  const auto task = fixture.addTask("t", "running", 1);
  const auto again = fixture.addSubtask(task.id, 1, 1, "dead", "running", kIdempotent);
  const auto once = fixture.addSubtask(task.id, 1, 2, "dead", "running", kOnce);
  const auto foreign = fixture.addSubtask(task.id, 1, 3, "dead", "running");
  const auto pending = fixture.addSubtask(task.id, 1, 4, "dead", "pending");
  const auto elsewhere = fixture.addSubtask(task.id, 1, 5, "other", "running", kIdempotent);
  const auto done = fixture.addSubtask(task.id, 1, 6, "dead", "succeed", kIdempotent);

  SECTION("not while it is alive") {
    CHECK(table.findDeadHolders(call).empty());
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 100) == 0);
    CHECK(fixture.row(again).state == "running");
  }
  SECTION("once it is evicted") {
    REQUIRE(fixture.nodes().evict(call, "dead", node.life, 0));
    CHECK(table.findDeadHolders(call) == std::vector<std::string>{"dead"});
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 100) == 3);
    CHECK(fixture.row(again).state == "pending");
    CHECK(fixture.row(again).exec_id == "dead");  // it gets another one in a write of its own
    CHECK_FALSE(fixture.row(again).has_end_time);
    for (const auto id : {once, foreign}) {
      CHECK(fixture.row(id).state == "failed");
      CHECK_THAT(fixture.row(id).error, Catch::Contains("subtask in running state and is not idempotent"));
      CHECK(fixture.row(id).has_end_time);
    }
    CHECK(fixture.row(pending).state == "pending");
    CHECK(fixture.row(elsewhere).state == "running");
    CHECK(fixture.row(done).state == "succeed");
    CHECK(fixture.attempt(again) == "1/0/1001");
    CHECK(fixture.attempt(once) == "1/0/1002");
    CHECK(fixture.attempt(elsewhere).empty());
    CHECK(table.findDeadHolders(call).empty());
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 100) == 0);  // nothing is left to do
    CHECK(fixture.attempt(again) == "1/0/1001");
  }
  SECTION("also when its row is gone") {
    fixture.store().execute("delete from disttask_node where exec_id='dead'");
    CHECK(table.findDeadHolders(call).empty());
    CHECK(table.findStrays(call) == std::vector<std::string>{"dead"});
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 100) == 3);
  }
  SECTION("not while one registers who has no row yet, and starts what is looked at") {
    fixture.store().execute("delete from disttask_node where exec_id='dead'");
    bool is_first = true;
    Failpoints::arm("scheduler.orphans", [&] {
      if (std::exchange(is_first, false)) fixture.addNode("dead");
    });
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 100) == 0);
    Failpoints::disarm("scheduler.orphans");
    CHECK_FALSE(is_first);
    for (const auto id : {again, once, foreign}) CHECK(fixture.row(id).state == "running");
  }
  SECTION("in batches") {
    REQUIRE(fixture.nodes().evict(call, "dead", node.life, 0));
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 2) == 2);
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 2) == 1);
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 2) == 0);
  }
  SECTION("not when it has registered again in between") {
    REQUIRE(fixture.nodes().evict(call, "dead", node.life, 0));
    REQUIRE(table.findDeadHolders(call) == std::vector<std::string>{"dead"});
    fixture.addNode("dead");
    fixture.store().execute(
        "update tidb_background_subtask set ddl_physical_tid=2001 where id=" + std::to_string(again)
    );
    CHECK(table.releaseRowsOfDeadNode(call, life, "dead", kLimit, 100) == 0);
    for (const auto id : {again, once, foreign}) CHECK(fixture.row(id).state == "running");
    CHECK(fixture.text("select count(*) from disttask_attempt") == "0");
  }
}

TEST_CASE("Running rows of a dead node follow a task that reverts, pauses or is gone", "[db][scheduler][rows]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto reverting = fixture.addTask("reverting", "reverting", 1);
  const auto pausing = fixture.addTask("pausing", "pausing", 1);
  const auto canceled = fixture.addSubtask(reverting.id, 1, 1, "dead", "running", kIdempotent);
  const auto canceled_once = fixture.addSubtask(reverting.id, 1, 2, "dead", "running", kOnce);
  const auto paused = fixture.addSubtask(pausing.id, 1, 1, "dead", "running", kIdempotent);
  const auto failed_once = fixture.addSubtask(pausing.id, 1, 2, "dead", "running", kOnce);
  const auto stray = fixture.addSubtask(proto::TaskId(987654), 1, 1, "dead", "running", kIdempotent);

  REQUIRE(fixture.scheduler().releaseRowsOfDeadNode(call, life, "dead", kLimit, 100) == 5);
  CHECK(fixture.row(canceled).state == "canceled");
  CHECK(fixture.row(canceled).has_end_time);
  CHECK(fixture.row(canceled_once).state == "canceled");
  CHECK(fixture.row(paused).state == "paused");
  CHECK_FALSE(fixture.row(paused).has_end_time);
  CHECK(fixture.row(failed_once).state == "failed");
  CHECK(fixture.row(stray).state == "canceled");
}

TEST_CASE("A subtask that ends its node again and again fails", "[db][scheduler][rows]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t", "running", 1);
  const auto id = fixture.addSubtask(task.id, 1, 1, "dead", "running", 11);
  const auto die = [&](std::int64_t token) {
    fixture.store().execute(
        "update tidb_background_subtask set state='running', ddl_physical_tid=" + std::to_string(token) +
        " where id=" + std::to_string(id)
    );
    REQUIRE(fixture.scheduler().releaseRowsOfDeadNode(call, life, "dead", kLimit, 100) == 1);
  };
  die(11);
  CHECK(fixture.attempt(id) == "1/0/11");
  die(11);  // the same run is counted once
  CHECK(fixture.attempt(id) == "1/0/11");
  die(13);
  CHECK(fixture.attempt(id) == "2/0/13");
  die(15);  // from now on it ran alone
  CHECK(fixture.attempt(id) == "3/1/15");
  die(17);
  CHECK(fixture.row(id).state == "pending");
  die(19);
  CHECK(fixture.attempt(id) == "5/3/19");
  CHECK(fixture.row(id).state == "failed");
  CHECK_THAT(fixture.row(id).error, Catch::Contains("ended its node 5 times"));
}

TEST_CASE("Only pending rows of the node seen are moved", "[db][scheduler][rows]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t", "running", 1);
  std::vector<storage::SubtaskMove> moves;
  for (int i = 1; i <= 150; ++i) {
    const SubtaskId id(
        fixture.addSubtask(task.id, 1, i, "a", i == 70 ? "running" : "pending", i == 70 ? kIdempotent : 0)
    );
    moves.push_back({id, i == 71 ? "z" : "a", i % 2 == 0 ? "b" : "c"});
  }
  std::reverse(moves.begin(), moves.end());
  CHECK(table.movePendingSubtasks(call, life, moves) == 148);
  for (const auto& row : fixture.rows(task.id)) {
    const bool stays = row.ordinal == 70 || row.ordinal == 71;
    CHECK(row.exec_id == (stays ? "a" : row.ordinal % 2 == 0 ? "b" : "c"));
  }
  CHECK(table.movePendingSubtasks(call, life, moves) == 0);
  CHECK(table.movePendingSubtasks(call, life, {}) == 0);
  moves.resize(1001, moves.front());
  CHECK_THROWS_AS(table.movePendingSubtasks(call, life, moves), Exception);

  const auto of_b = table.getPendingSubtasksOfNode(call, task.id, "b", 3);
  REQUIRE(of_b.size() == 3);
  CHECK(of_b[0].ordinal == 150);  // last ones first
  CHECK(of_b[2].ordinal == 146);
  CHECK(of_b[0].slots == 2);
  CHECK(table.getPendingSubtasks(call, task.id, 1000).size() == 149);
}

TEST_CASE("Unstarted rows are cancelled in a reverting task only", "[db][scheduler][rows]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t", "running", 2);
  for (int i = 1; i <= 100; ++i) fixture.addSubtask(task.id, 2, i, "a", i <= 90 ? "pending" : "paused");
  const auto running = fixture.addSubtask(task.id, 2, 101, "a", "running", kIdempotent);
  const auto done = fixture.addSubtask(task.id, 2, 102, "a", "succeed", kIdempotent);
  const auto stray = fixture.addSubtask(task.id, 1, 1, "a", "pending");

  CHECK(table.cancelPendingSubtasks(call, life, task.id, 1000) == 0);
  fixture.store().execute("update tidb_global_task set state='reverting'");
  CHECK(table.cancelPendingSubtasks(call, life, task.id, 70) == 70);
  CHECK(table.countSubtasks(call, task.id, Step(2)).canceled == 70);
  CHECK(table.cancelPendingSubtasks(call, life, task.id, 70) == 30);
  CHECK(table.cancelPendingSubtasks(call, life, task.id, 70) == 1);  // whatever is left in other steps
  CHECK(table.cancelPendingSubtasks(call, life, task.id, 70) == 0);
  CHECK(fixture.row(running).state == "running");
  CHECK(fixture.row(done).state == "succeed");
  CHECK(fixture.row(stray).state == "canceled");
  CHECK(fixture.row(stray).has_end_time);
  CHECK(table.countActiveSubtasks(call, task.id) == 1);
}

TEST_CASE("Paused rows go on in a running task only", "[db][scheduler][rows]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t", "paused", 1);
  const auto paused = fixture.addSubtask(task.id, 1, 1, "a", "paused");
  const auto running = fixture.addSubtask(task.id, 1, 2, "a", "running", kIdempotent);
  CHECK(fixture.scheduler().resumePausedSubtasks(call, life, task.id, TaskState::kRunning, 100) == 0);
  CHECK(fixture.row(paused).state == "paused");
  fixture.store().execute("update tidb_global_task set state='running'");
  CHECK(fixture.scheduler().resumePausedSubtasks(call, life, task.id, TaskState::kRunning, 100) == 1);
  CHECK(fixture.scheduler().resumePausedSubtasks(call, life, task.id, TaskState::kRunning, 100) == 0);
  CHECK(fixture.row(paused).state == "pending");
  CHECK(fixture.row(running).state == "running");
}

TEST_CASE("A step is looked at by kinds of rows, by counts and by its first error", "[db][scheduler][rows]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto task = fixture.addTask("t", "running", 1);
  auto presence = table.probeSubtasks(call, task.id, Step(1));
  CHECK_FALSE(presence.unfinished());
  CHECK_FALSE(presence.failed);

  fixture.addSubtask(task.id, 2, 1, "a", "failed");  // another step
  fixture.addSubtask(task.id, 1, 1, "a", "pending");
  fixture.addSubtask(task.id, 1, 2, "a", "running", kIdempotent);
  fixture.addSubtask(task.id, 1, 3, "b", "pending");
  fixture.addSubtask(task.id, 1, 4, "b", "succeed");
  presence = table.probeSubtasks(call, task.id, Step(1));
  CHECK(presence.pending);
  CHECK(presence.running);
  CHECK_FALSE(presence.paused);
  CHECK_FALSE(presence.failed);
  std::string error;
  CHECK_FALSE(table.findFailedSubtask(call, task.id, Step(1), error));
  const auto counts = table.countSubtasks(call, task.id, Step(1));
  CHECK(counts.pending == 2);
  CHECK(counts.running == 1);
  CHECK(counts.succeed == 1);
  CHECK(counts.all() == 4);

  fixture.addNode("a");
  CHECK(table.findStrays(call) == std::vector<std::string>{"b"});
  CHECK(table.countSubtasksByNode(call, task.id, {}).size() == 1);
  const auto by_node = table.countSubtasksByNode(call, task.id, {"b", "nobody"});
  REQUIRE(by_node.size() == 2);
  CHECK(by_node[0].first == "a");
  CHECK(by_node[0].second.pending == 1);
  CHECK(by_node[0].second.running == 1);
  CHECK(by_node[1].second.pending == 1);

  const auto canceled = fixture.addSubtask(task.id, 1, 5, "a", "canceled");
  CHECK(table.probeSubtasks(call, task.id, Step(1)).failed);
  CHECK(table.findFailedSubtask(call, task.id, Step(1), error));
  CHECK(error.empty());
  fixture.store().execute(
      "update tidb_background_subtask set state='failed', end_time=now(), "
      "error='{\"class\":0,\"code\":0,\"message\":\"line 7\",\"rfccode\":\"\"}' where id=" +
      std::to_string(canceled)
  );
  CHECK(table.findFailedSubtask(call, task.id, Step(1), error));
  CHECK(error == "line 7");
}

TEST_CASE("Rows are found that their node has handed back", "[db][scheduler][rows]") {
  SchedulerFixture fixture;
  auto& table = fixture.scheduler();
  const auto call = SchedulerFixture::call();
  const auto life = fixture.takeRole();
  const auto task = fixture.addTask("t", "running", 1);
  const auto here = fixture.addSubtask(task.id, 1, 1, "a", "pending");
  const auto moved = fixture.addSubtask(task.id, 1, 2, "b", "pending");
  const auto runs = fixture.addSubtask(task.id, 1, 3, "a", "running", kIdempotent);
  for (const auto id : {here, moved, runs}) {
    fixture.store().execute(
        "insert into disttask_attempt (subtask_id, task_id, handed_back, last_error) values (" + std::to_string(id) +
        ", " + std::to_string(task.id.value()) + ", '[\"a\",\"x\"]', 'no such file')"
    );
  }
  const auto found = table.getHandedBack(call, task.id, 100);
  REQUIRE(found.size() == 1);
  CHECK(found[0].subtask.id == SubtaskId(here));
  CHECK(found[0].subtask.exec_id == "a");
  CHECK(found[0].by == std::vector<std::string>{"a", "x"});
  CHECK(found[0].error == "no such file");

  CHECK(table.failPendingSubtask(call, life, SubtaskId(here), "no node could run it: no such file"));
  CHECK(table.failPendingSubtask(call, life, SubtaskId(here), "no node could run it: no such file"));
  CHECK(fixture.row(here).state == "failed");
  CHECK(fixture.row(here).has_end_time);
  CHECK_THAT(fixture.row(here).error, Catch::Contains("no node could run it: no such file"));
  CHECK_FALSE(table.failPendingSubtask(call, life, SubtaskId(runs), "text"));
  CHECK(fixture.row(runs).state == "running");
}
