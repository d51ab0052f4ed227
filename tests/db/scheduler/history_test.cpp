#include "disttask/scheduler/history_mover.hpp"
#include "scheduler_fixture.hpp"

#include "support/child_process.hpp"
#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>

using namespace disttask;
using namespace disttask::test;
using proto::TaskId;

namespace {

/// An ended task with subtasks, a plan and attempts.
proto::Task endedTask(
    SchedulerFixture& fixture, const std::string& key, int subtasks, const std::string& state = "succeed"
) {
  const auto task = fixture.addTask(key, state, -2);
  for (int i = 1; i <= subtasks; ++i) fixture.addSubtask(task.id, 1, i, "a", "succeed", 7);
  const auto id = std::to_string(task.id.value());
  fixture.store().execute(
      "insert into disttask_attempt (subtask_id, task_id, retries) select id, " + id +
      ", 1 from tidb_background_subtask where task_key='" + id + "' and ordinal<=2"
  );
  fixture.store().execute(
      "insert into disttask_plan (task_id, kind, after_step, planner, token, `cursor`, next_ordinal, complete, failed, "
      "retries) values (" +
      id + ", 'step', -1, 'a', 1, '', 1, 1, 0, 0)"
  );
  fixture.store().execute("update tidb_global_task set end_time=date_sub(now(), interval 1 hour) where id=" + id);
  return task;
}

std::string countOf(SchedulerFixture& fixture, const std::string& table) {
  return fixture.text("select count(*) from " + table);
}

}  // namespace

TEST_CASE(
    "An ended task moves to history whole: subtasks in batches, the task last, side rows cleared",
    "[db][scheduler][history]"
) {
  SchedulerFixture fixture;
  auto& history = fixture.store()->historyTable();
  const auto call = SchedulerFixture::call();
  const auto owner = fixture.takeRole();
  const auto task = endedTask(fixture, "done", 7);
  const auto other = fixture.addTask("other", "running", 1);
  fixture.addSubtask(other.id, 1, 1, "a", "running", 9);
  const auto before = fixture.text(
      "select group_concat(concat_ws(',', id, step, task_key, ddl_physical_tid, exec_id, state, meta, ordinal) order "
      "by id) "
      "from tidb_background_subtask where task_key='" +
      std::to_string(task.id.value()) + "'"
  );

  CHECK(history.isAtRest(call, task.id));
  CHECK_FALSE(history.moveTask(call, owner, task.id));  // it has subtasks
  CHECK(history.moveSubtasks(call, owner, task.id, 3) == 3);
  CHECK(history.moveSubtasks(call, owner, task.id, 3) == 3);
  CHECK(history.moveSubtasks(call, owner, task.id, 3) == 1);
  CHECK(history.moveSubtasks(call, owner, task.id, 3) == 0);
  CHECK(history.moveTask(call, owner, task.id));
  CHECK_FALSE(history.moveTask(call, owner, task.id));

  CHECK(
      fixture.text(
          "select group_concat(concat_ws(',', id, step, task_key, ddl_physical_tid, exec_id, state, meta, ordinal) "
          "order by id) "
          "from tidb_background_subtask_history where task_key='" +
          std::to_string(task.id.value()) + "'"
      ) == before
  );
  CHECK(
      fixture.text("select concat_ws(',', id, task_key, state, step, meta) from tidb_global_task_history") ==
      std::to_string(task.id.value()) + ",done,succeed,-2,{\"job\":1}"
  );
  CHECK(fixture.text("select count(*) from tidb_background_subtask_history where state_update_time is null") == "0");
  CHECK(countOf(fixture, "disttask_plan") == "0");
  CHECK(countOf(fixture, "disttask_attempt") == "0");
  CHECK(countOf(fixture, "tidb_global_task") == "1");
  CHECK(countOf(fixture, "tidb_background_subtask") == "1");
  CHECK(fixture.store()->clientTable().findTaskByKey(call, "done").value().state == proto::TaskState::kSucceed);
}

TEST_CASE("Only tasks that ended long enough ago are found, whatever way they ended", "[db][scheduler][history]") {
  SchedulerFixture fixture;
  auto& history = fixture.store()->historyTable();
  const auto call = SchedulerFixture::call();
  const auto a = endedTask(fixture, "a", 0, "succeed");
  const auto b = endedTask(fixture, "b", 0, "failed");
  const auto c = endedTask(fixture, "c", 0, "reverted");
  for (const auto* state : {"pending", "running", "reverting", "paused", "awaiting-resolution"})
    endedTask(fixture, state, 0, state);
  const auto idsOf = [](const std::vector<storage::EndedTask>& tasks) {
    std::vector<TaskId> ids;
    for (const auto& task : tasks) ids.push_back(task.id);
    return ids;
  };
  const auto found = history.findEndedTasks(call, std::chrono::minutes(59), TaskId(), 10);
  CHECK(idsOf(found) == std::vector{a.id, b.id, c.id});
  CHECK(found[0].key == "a");
  CHECK(found[0].type == a.type);
  CHECK(found[0].step == a.step);
  CHECK(idsOf(history.findEndedTasks(call, std::chrono::minutes(59), a.id, 1)) == std::vector{b.id});
  CHECK(history.findEndedTasks(call, std::chrono::minutes(61), TaskId(), 10).empty());
}

TEST_CASE("A task that has not ended, or whose rows are not at rest, stays", "[db][scheduler][history]") {
  SchedulerFixture fixture;
  auto& history = fixture.store()->historyTable();
  const auto call = SchedulerFixture::call();
  const auto owner = fixture.takeRole();
  const auto running = fixture.addTask("running", "running", 1);
  fixture.addSubtask(running.id, 1, 1, "a", "succeed", 7);
  CHECK(history.moveSubtasks(call, owner, running.id, 10) == 0);
  CHECK_FALSE(history.moveTask(call, owner, running.id));

  const auto ended = endedTask(fixture, "ended", 0, "failed");
  fixture.addSubtask(ended.id, 1, 1, "a", "running", 7);
  CHECK_FALSE(history.isAtRest(call, ended.id));
  CHECK(history.moveSubtasks(call, owner, ended.id, 10) == 0);
  CHECK_FALSE(history.moveTask(call, owner, ended.id));
  CHECK(countOf(fixture, "tidb_background_subtask") == "2");
  CHECK(countOf(fixture, "tidb_global_task_history") == "0");
}

TEST_CASE("Who lost the scheduler role moves and forgets nothing", "[db][scheduler][history]") {
  SchedulerFixture fixture;
  auto& history = fixture.store()->historyTable();
  const auto call = SchedulerFixture::call();
  const auto former = fixture.takeRole("a");
  fixture.takeRole("b");
  const auto task = endedTask(fixture, "done", 2);
  fixture.store().execute(
      "insert into tidb_background_subtask_history select * from tidb_background_subtask where ordinal=1"
  );
  fixture.store().execute("update tidb_background_subtask_history set id=id+1000, state_update_time=1");
  const auto lost = [](const auto& body) {
    try {
      body();
    } catch (const Exception& e) {
      return e.error().code() == ErrorCode::kLost;
    }
    return false;
  };
  CHECK(lost([&] { history.moveSubtasks(call, former, task.id, 10); }));
  CHECK(lost([&] { history.moveTask(call, former, task.id); }));
  CHECK(lost([&] { history.forgetSubtasks(call, former, std::chrono::hours(1), 10); }));
  CHECK(countOf(fixture, "tidb_background_subtask") == "2");
  CHECK(countOf(fixture, "tidb_background_subtask_history") == "1");
}

TEST_CASE("Large subtasks move in transactions of at most 1 MiB, or one row", "[db][scheduler][history]") {
  SchedulerFixture fixture;
  auto& history = fixture.store()->historyTable();
  const auto call = SchedulerFixture::call();
  const auto owner = fixture.takeRole();
  const auto task = endedTask(fixture, "large", 5);
  fixture.store().execute("update tidb_background_subtask set meta=repeat('x', if(ordinal=1, 1500000, 400000))");
  std::int64_t moved = 0;
  int batches = 0;
  while (const auto count = history.moveSubtasks(call, owner, task.id, 100)) {
    CHECK(count <= 2);
    moved += count;
    ++batches;
  }
  CHECK(moved == 5);
  CHECK(batches >= 3);
}

TEST_CASE("Subtasks leave history after the time to keep, and the key stays used", "[db][scheduler][history]") {
  SchedulerFixture fixture;
  auto& history = fixture.store()->historyTable();
  const auto call = SchedulerFixture::call();
  const auto owner = fixture.takeRole();
  const auto task = endedTask(fixture, "done", 5);
  fixture.store().execute(
      "update tidb_background_subtask set state_update_time=unix_timestamp()-if(ordinal<=3, 7200, 60)"
  );
  while (history.moveSubtasks(call, owner, task.id, 10) > 0) continue;
  REQUIRE(history.moveTask(call, owner, task.id));
  CHECK(history.forgetSubtasks(call, owner, std::chrono::hours(1), 2) == 2);
  CHECK(history.forgetSubtasks(call, owner, std::chrono::hours(1), 2) == 1);
  CHECK(history.forgetSubtasks(call, owner, std::chrono::hours(1), 2) == 0);
  CHECK(fixture.text("select group_concat(ordinal order by ordinal) from tidb_background_subtask_history") == "4,5");
  storage::TaskRequest again;
  again.key = "done";
  again.type = "demo";
  again.meta = "{}";
  const auto result = fixture.store()->clientTable().submitTask(call, again);
  CHECK(result.existed);
  CHECK(result.id == task.id);
}

TEST_CASE("the process that moves to history", "[.mover-process]") {
  storage::mysql::StoreSettings settings;
  settings.connect = testConnectSettings();
  settings.schema = std::getenv("DISTTASK_TEST_SCHEMA");
  storage::mysql::Store store(settings, runtime::systemClock());
  const auto call = SchedulerFixture::call();
  auto& scheduler = store.schedulerTable();
  const auto life = scheduler.takeOwnership(call, "mover", scheduler.getOwner(call));
  REQUIRE(life);
  FakeClock clock;  // nothing to wait for
  FakeTimers timers(clock);
  runtime::ThreadPool pool("history", 1, 0, [](const Error&) {});
  scheduler::HistorySettings quick;
  quick.after = runtime::Duration::zero();
  quick.batch_rows = 10;
  scheduler::HistoryMover mover({store.historyTable(), clock, timers, pool, [&] { return life; }}, quick);
  mover.runRoundForTest();
}

TEST_CASE(
    "Wherever the mover dies before a commit, each row is in exactly one of the tables", "[db][scheduler][history]"
) {
  SchedulerFixture fixture;
  const auto task = endedTask(fixture, "done", 25);
  int kills = 0;
  for (int pass = 1; pass < 10; ++pass) {
    INFO("pass " << pass);
    ChildProcess process(
        {std::filesystem::read_symlink("/proc/self/exe").string(), "[.mover-process]"},
        {{"DISTTASK_FAILPOINTS", "history.before_commit=" + std::to_string(pass) + "*exit"},
         {"DISTTASK_TEST_SCHEMA", fixture.store().schema()}}
    );
    const auto end = process.wait();
    REQUIRE(end);
    INFO(process.output());
    CHECK(
        fixture.text(
            "select concat_ws(',', count(*), count(distinct id), min(ordinal), max(ordinal)) from (select id, ordinal "
            "from tidb_background_subtask union all select id, ordinal from tidb_background_subtask_history) r"
        ) == "25,25,1,25"
    );
    CHECK(
        fixture.text(
            "select count(*) from (select id from tidb_global_task union all select id from tidb_global_task_history) t"
        ) == "1"
    );
    // Attempts and plan go with their rows.
    CHECK(
        fixture.text(
            "select count(*) from disttask_attempt a left join tidb_background_subtask s on s.id=a.subtask_id where "
            "s.id is null"
        ) == "0"
    );
    CHECK(countOf(fixture, "disttask_plan") == countOf(fixture, "tidb_global_task"));
    if (end->signal != SIGKILL) {
      CHECK(end->exit_code == 0);
      break;
    }
    ++kills;
  }
  CHECK(kills == 3);  // at the first batch, at one behind it, at the task's row
  CHECK(countOf(fixture, "tidb_background_subtask_history") == "25");
  CHECK(fixture.text("select id from tidb_global_task_history") == std::to_string(task.id.value()));
}
