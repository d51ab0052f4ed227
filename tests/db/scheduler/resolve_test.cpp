// Tasks that wait for a person, and what became of them.
#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"
#include "disttask/proto/row_error.hpp"
#include "flow_cluster.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::test;
using proto::Step;
using proto::TaskState;
using storage::Resolution;

namespace {

/// A task in step 1 of which some subtasks failed; it waits.
class Waiting : public SchedulerFixture {
 public:
  explicit Waiting(int num_failed) : task_(addTask("t", "awaiting-resolution", 1)) {
    store().execute("update tidb_global_task set error='" + proto::encodeRowError("line 7") + "'");
    for (int i = 1; i <= num_failed; ++i) failed.push_back(addSubtask(id(), 1, i, "a", "failed", 7));
    canceled = addSubtask(id(), 1, num_failed + 1, "a", "canceled", 7);
    done = addSubtask(id(), 1, num_failed + 2, "b", "succeed", 7);
    running = addSubtask(id(), 1, num_failed + 3, "b", "running", 7);
    store().execute(
        "update tidb_background_subtask set error='" + proto::encodeRowError("line 7") +
        "', end_time=now() where state='failed'"
    );
    store().execute(
        "insert into disttask_attempt (subtask_id, task_id, retries) select id, " + std::to_string(id().value()) +
        ", 3 from tidb_background_subtask"
    );
  }
  [[nodiscard]] proto::TaskId id() const { return task_.id; }
  storage::ClientTable& client() { return store()->clientTable(); }
  std::string count(const std::string& where) {
    return text("select count(*) from tidb_background_subtask where " + where);
  }
  std::string events() {
    return text("select group_concat(concat(event, ':', num_rows) order by seq) from disttask_event");
  }

  std::vector<std::int64_t> failed;
  std::int64_t canceled = 0, done = 0, running = 0;

 private:
  proto::Task task_;
};

storage::EventRecord find(const std::vector<storage::EventRecord>& events, const std::string& name) {
  for (const auto& event : events) {
    if (event.event == name) return event;
  }
  return {};
}

}  // namespace

TEST_CASE(
    "A resolution by retry makes the failed subtasks pending and forgets their attempts", "[db][scheduler][resolve]"
) {
  Waiting task(450);  // more than one transaction takes
  CHECK(task.client().resolveTask(Waiting::call(), task.id(), Resolution::kRetry) == 451);
  const auto now = task.task(task.id());
  CHECK(now.state == TaskState::kRunning);
  CHECK(now.step == Step(1));
  CHECK(now.error.empty());
  CHECK(task.count("state='pending' and error is null and end_time is null") == "451");
  CHECK(task.row(task.done).state == "succeed");
  CHECK(task.row(task.running).state == "running");
  CHECK(task.text("select count(*) from disttask_attempt") == "2");
  // One event, however many transactions it took.
  CHECK(task.events() == "retry-subtasks:451,resolve-retry:0");
  CHECK_THROWS_AS(task.client().resolveTask(Waiting::call(), task.id(), Resolution::kRetry), Exception);
}

TEST_CASE(
    "A resolution by skip lets the failed subtasks succeed with a note, and without a result",
    "[db][scheduler][resolve]"
) {
  Waiting task(3);
  CHECK(task.client().resolveTask(Waiting::call(), task.id(), Resolution::kSkip) == 4);
  CHECK(task.task(task.id()).state == TaskState::kRunning);
  CHECK(task.task(task.id()).error.empty());
  const auto user = task.text("select user()");
  const auto row = task.row(task.failed[0]);
  CHECK(row.state == "succeed");
  CHECK(row.has_end_time);
  const auto note = Json::parse(row.error);
  CHECK(note.find("skipped")->asBool());
  CHECK(proto::decodeRowError(row.error) == "skipped by " + user + ": line 7");
  CHECK(proto::decodeRowError(task.row(task.canceled).error) == "skipped by " + user + ": it was canceled");
  CHECK(task.row(task.done).error.empty());
  CHECK(task.row(task.running).state == "running");
  CHECK(task.events() == "skip-subtasks:4,resolve-skip:0");
  // What has no result is not read as one.
  const auto results = task.plans().getResultMetas(Waiting::call(), task.id(), Step(1), 0, 100);
  REQUIRE(results.size() == 1);
  CHECK(results[0].first == 5);
}

TEST_CASE("A resolution by fail reverts the task with the error that it had", "[db][scheduler][resolve]") {
  Waiting task(2);
  CHECK(task.client().resolveTask(Waiting::call(), task.id(), Resolution::kFail) == 0);
  CHECK(task.task(task.id()).state == TaskState::kReverting);
  CHECK(task.task(task.id()).error == "line 7");
  CHECK(task.count("state='failed'") == "2");
  CHECK(task.events() == "resolve-fail:0");
}

TEST_CASE(
    "A resolution that stopped on the way leaves the task waiting and is done again", "[db][scheduler][resolve]"
) {
  Waiting task(5);
  // As after the first of several transactions.
  task.store().execute("update tidb_background_subtask set state='pending', error=null where ordinal<=3");
  CHECK(task.client().resolveTask(Waiting::call(), task.id(), Resolution::kSkip) == 3);
  CHECK(task.task(task.id()).state == TaskState::kRunning);
  CHECK(task.count("state='pending'") == "3");
  CHECK(task.count("state='succeed'") == "4");
}

TEST_CASE(
    "Only a task that awaits its resolution is resolved, and a cancel ends the waiting", "[db][scheduler][resolve]"
) {
  Waiting task(1);
  CHECK(task.client().cancelTask(Waiting::call(), task.id()));
  try {
    task.client().resolveTask(Waiting::call(), task.id(), Resolution::kSkip);
    FAIL("it was resolved");
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kPrecondition);
    CHECK(
        e.error().message() == "task id:" + std::to_string(task.id().value()) +
                                   " is cancelling; only a task that is awaiting-resolution can be resolved"
    );
  }
  CHECK(task.count("state='failed'") == "1");
  CHECK_THROWS_AS(task.client().resolveTask(Waiting::call(), proto::TaskId(999), Resolution::kRetry), Exception);
}

TEST_CASE(
    "With manual recovery a failed subtask makes the task wait, and it goes on as somebody decides",
    "[db][scheduler][resolve]"
) {
  Cluster cluster({"a"});
  const auto id = cluster.addTask("t").id;
  cluster.store().execute("update tidb_global_task set extra_params='{\"manual_recovery\":true}'");
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  cluster.run("a", "failed", 2);
  REQUIRE(cluster.turnUntil(id, TaskState::kAwaitingResolution));
  CHECK(cluster.task(id).error == "line 7");
  for (int i = 0; i < 5; ++i) cluster.turn();
  CHECK(cluster.task(id).state == TaskState::kAwaitingResolution);
  CHECK(cluster.countBy(id, "pending") == std::map<std::string, int>{{"a", 6}});
  auto& client = cluster.store()->clientTable();
  SECTION("retry: the task succeeds") {
    CHECK(client.resolveTask(Cluster::call(), id, Resolution::kRetry) == 2);
    REQUIRE(cluster.turnUntil([&] { return cluster.run("a") > 0 && cluster.rows(id).size() == 16; }));
    REQUIRE(cluster.turnUntil([&] {
      cluster.run("a");
      return cluster.task(id).state == TaskState::kSucceed;
    }));
    CHECK(cluster.task(id).error.empty());
  }
  SECTION("skip: the step goes on without them") {
    CHECK(client.resolveTask(Cluster::call(), id, Resolution::kSkip) == 2);
    REQUIRE(cluster.turnUntil([&] {
      cluster.run("a");
      return cluster.task(id).state == TaskState::kSucceed;
    }));
  }
  SECTION("fail: it reverts with the error") {
    client.resolveTask(Cluster::call(), id, Resolution::kFail);
    REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
    CHECK(cluster.task(id).error == "line 7");
  }
  SECTION("cancel: it reverts as cancelled") {
    CHECK(client.cancelTask(Cluster::call(), id));
    REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
    CHECK(cluster.task(id).error == "cancelled by user");
  }
}

TEST_CASE("A task's events say what became of it, by whom and why", "[db][scheduler][events]") {
  Cluster cluster({"a"});
  auto& client = cluster.store()->clientTable();
  storage::TaskRequest request;
  request.key = "t";
  request.type = "demo";
  request.meta = "{}";
  const auto id = client.submitTask(Cluster::call(), request).id;
  REQUIRE(cluster.turnUntil([&] { return cluster.rows(id).size() == 8; }));
  REQUIRE(client.pauseTask(Cluster::call(), id));
  REQUIRE(cluster.turnUntil(id, TaskState::kPaused));
  REQUIRE(client.cancelTask(Cluster::call(), id));
  REQUIRE(cluster.turnUntil(id, TaskState::kReverted));
  const auto events = client.listEvents(Cluster::call(), id, 100);
  std::string all;
  for (const auto& event : events) {
    all += (all.empty() ? "" : " ") + event.event;
    CHECK(event.seq == 1 + (&event - events.data()));
    CHECK(event.at_ms > 1'600'000'000'000);
  }
  CHECK(all == "submit enter-step pause pause-subtasks paused cancel revert cancel-subtasks reverted");
  const auto user = cluster.text("select user()");
  CHECK(find(events, "submit").actor == user);
  CHECK(find(events, "submit").to == "pending");
  CHECK(find(events, "enter-step").actor == "a");
  CHECK(find(events, "enter-step").reason == "step 1");
  CHECK(find(events, "pause").actor == user);
  CHECK(find(events, "pause-subtasks").count == 8);
  CHECK(find(events, "paused").actor == "owner");
  CHECK(find(events, "revert").from == "cancelling");
  CHECK(find(events, "revert").reason == "cancelled by user");
  CHECK(find(events, "cancel-subtasks").count == 8);
  // The last ones.
  CHECK(client.listEvents(Cluster::call(), id, 2).front().event == "cancel-subtasks");
}

TEST_CASE("What the owner takes from a dead node is an event of each task", "[db][scheduler][events]") {
  SchedulerFixture fixture;
  const auto owner = fixture.takeRole();
  const auto one = fixture.addTask("one", "running", 1);
  const auto two = fixture.addTask("two", "reverting", 1);
  for (int i = 1; i <= 3; ++i) fixture.addSubtask(one.id, 1, i, "dead", "running", i == 3 ? 6 : 7);
  fixture.addSubtask(two.id, 1, 1, "dead", "running", 7);
  CHECK(fixture.scheduler().releaseRowsOfDeadNode(SchedulerFixture::call(), owner, "dead", 3, 64) == 4);
  const auto events = fixture.store()->clientTable().listEvents(SchedulerFixture::call(), one.id, 100);
  REQUIRE(events.size() == 2);
  for (const auto& event : events) {
    CHECK(event.event == "node-lost");
    CHECK(event.from == "running");
    CHECK(event.reason == "they ran on dead, which is gone");
    CHECK(event.count == (event.to == "pending" ? 2 : 1));
  }
  CHECK(fixture.store()->clientTable().listEvents(SchedulerFixture::call(), two.id, 100)[0].to == "canceled");
}

TEST_CASE("A task keeps its last 500 events, a node its last 100", "[db][scheduler][events]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  auto& client = fixture.store()->clientTable();
  const auto task = fixture.addTask("t", "running", 1);
  const auto fill = [&](const std::string& id, const std::string& exec_id, int last) {
    fixture.store().execute(
        "insert into disttask_event (task_id, exec_id, seq, at_ms, event, actor_kind, actor) values (" + id + ", '" +
        exec_id + "', 1, 0, 'old', 'owner', 'o'), (" + id + ", '" + exec_id + "', 2, 0, 'old', 'owner', 'o'), (" + id +
        ", '" + exec_id + "', " + std::to_string(last) + ", 0, 'old', 'owner', 'o')"
    );
  };
  fill(std::to_string(task.id.value()), "", 500);
  REQUIRE(client.pauseTask(call, task.id));
  auto events = client.listEvents(call, task.id, 1000);
  REQUIRE(events.size() == 3);
  CHECK(events.front().seq == 2);
  CHECK(events.back().seq == 501);

  fixture.addNode("n");
  fixture.store().execute("delete from disttask_event where task_id=0");
  fill("0", "n", 100);
  fixture.addNode("n");
  events = client.listNodeEvents(call, "n", 1000);
  CHECK(events.back().event == "registered");
  CHECK(events.back().seq == 101);
  CHECK(events.front().seq == 2);
}

TEST_CASE("A node's events say when it came and went, and go with it", "[db][scheduler][events]") {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  auto& client = fixture.store()->clientTable();
  auto node = fixture.addNode("n");
  REQUIRE(fixture.nodes().evict(call, "n", node.life, 0));
  CHECK_FALSE(fixture.nodes().evict(call, "n", node.life, 0));
  node = fixture.addNode("n");
  REQUIRE(fixture.nodes().release(call, "n", node.life));
  std::string all;
  for (const auto& event : client.listNodeEvents(call, "n", 100)) all += event.event + " " + event.actor_kind + " ";
  CHECK(all == "registered node evicted observer registered node stopped node ");
  REQUIRE(fixture.nodes().forget(call, "n", proto::Life()));
  CHECK(client.listNodeEvents(call, "n", 100).empty());
}

TEST_CASE(
    "A task's events stay when it moves to history, and are deleted when its time there is over",
    "[db][scheduler][events]"
) {
  SchedulerFixture fixture;
  const auto call = SchedulerFixture::call();
  auto& client = fixture.store()->clientTable();
  auto& history = fixture.store()->historyTable();
  const auto owner = fixture.takeRole();
  const auto live = fixture.addTask("live", "running", 1);
  const auto gone = fixture.addTask("gone", "running", 1);
  REQUIRE(client.pauseTask(call, live.id));
  for (const auto event : {proto::TaskEvent::kRevert}) {
    REQUIRE(fixture.scheduler().changeTask(call, owner, gone.id, {TaskState::kRunning, event, "line 7"}));
  }
  REQUIRE(fixture.scheduler().changeTask(call, owner, gone.id, {TaskState::kReverting, proto::TaskEvent::kReverted}));
  REQUIRE(history.moveTask(call, owner, gone.id));
  CHECK(client.listEvents(call, gone.id, 100).size() == 2);
  CHECK(history.forgetEvents(call, owner, std::chrono::hours(1), 100) == 0);
  fixture.store().execute("update disttask_event set archived_at=archived_at-7200 where archived_at is not null");
  CHECK(history.forgetEvents(call, owner, std::chrono::hours(1), 1) == 1);  // the oldest first, as many as asked
  CHECK(client.listEvents(call, gone.id, 100)[0].event == "reverted");
  CHECK(history.forgetEvents(call, owner, std::chrono::hours(1), 100) == 1);
  CHECK(client.listEvents(call, gone.id, 100).empty());
  CHECK(client.listEvents(call, live.id, 100).size() == 1);
  // Nobody but the owner forgets.
  fixture.store().execute("update disttask_event set archived_at=1");
  CHECK_THROWS_AS(history.forgetEvents(call, proto::Life(5), std::chrono::hours(1), 100), Exception);
}
