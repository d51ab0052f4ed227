// Writes whose outcome is unknown, values that the store refuses, rows that went to history: what only a server shows.
#include "disttask/base/failpoint.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <functional>
#include <optional>

using namespace disttask;           // NOLINT: a test
using namespace disttask::storage;  // NOLINT: a test

namespace {

const std::string kNode = "node-a:4000";
constexpr auto kApplied = TransitionOutcome::kApplied;

class Server {
 public:
  Server() {
    store_.execute(
        "insert into tidb_global_task (id, task_key, type, state, step, concurrency, meta, extra_params)"
        " values (1,'key','example','running',1,1,'{}','{}')"
    );
  }
  test::TestStore& store() { return store_; }
  TaskTable& table() { return store_->taskTable(); }

  SubtaskId add(int ordinal) {
    store_.execute(
        "insert into tidb_background_subtask (id, step, task_key, type, exec_id, state, checkpoint, concurrency, "
        "create_time, meta, ordinal, summary)"
        " values (" +
        std::to_string(ordinal) + ",1,'1',0,'" + kNode + "','pending','{}',1,now(),'meta'," + std::to_string(ordinal) +
        ",'{}')"
    );
    return SubtaskId(ordinal);
  }
  static proto::SubtaskBase read(SubtaskId id) {
    proto::SubtaskBase subtask;
    subtask.id = id;
    subtask.task_id = TaskId(1);
    subtask.step = Step(1);
    subtask.ordinal = static_cast<std::int32_t>(id.value());
    return subtask;
  }
  SubtaskId start(int ordinal, bool idempotent = true) {
    const auto id = add(ordinal);
    REQUIRE(table().startSubtask({}, read(id), kNode, idempotent) == kApplied);
    return id;
  }
  std::string column(const std::string& name, SubtaskId id) {
    return store_.scalar("select " + name + " from tidb_background_subtask where id=" + std::to_string(id.value()));
  }

  /// Runs `write` on another thread while the row is locked, kills its connection in the middle of the statement, and
  /// lets go of the lock once the next try waits (or at once).
  TransitionOutcome writeWithLostAnswer(SubtaskId id, const std::function<TransitionOutcome()>& write) {
    const auto blocker = store_.connect();
    blocker->begin();
    blocker->execute("update tidb_background_subtask set namespace='locked' where id=" + std::to_string(id.value()));
    std::optional<TransitionOutcome> outcome;
    std::string failure;
    runtime::ThreadGroup threads;
    threads.spawn("writer", [&] {
      try {
        outcome = write();
      } catch (const Exception& e) {
        failure = e.what();
      }
    });
    const auto waiting = [&] {
      return store_.scalar(
          "select id from information_schema.processlist where db=database() and id<>connection_id() and id<>" +
          std::to_string(blocker->connectionId()) +
          " and (info like 'update tidb_background_subtask%' or info like '%for update') limit 1"
      );
    };
    std::string victim;
    CHECK(test::eventually([&] {
      victim = waiting();
      return !victim.empty();
    }));
    if (!victim.empty()) store_.execute("kill " + victim);
    CHECK(test::eventually([&] {
      const auto next = waiting();
      return !next.empty() && next != victim;
    }));
    blocker->commit();
    threads.join();
    INFO(failure);
    REQUIRE(outcome);
    return *outcome;
  }

 private:
  test::TestStore store_;
};

}  // namespace

TEST_CASE("A start whose answer was lost is sent again with the same token") {
  Server server;
  const auto id = server.add(1);
  CHECK(server.writeWithLostAnswer(id, [&] {
    return server.table().startSubtask({}, Server::read(id), kNode, false);
  }) == kApplied);
  CHECK(server.column("state", id) == "running");
  CHECK(server.column("ddl_physical_tid", id) == std::to_string(server.table().liveToken(id).value()));
}

TEST_CASE("A finish whose answer was lost is sent again until the row shows it") {
  Server server;
  const auto id = server.start(1);
  CHECK(server.writeWithLostAnswer(id, [&] {
    return server.table().finishSubtask({}, kNode, id, "result", {});
  }) == kApplied);
  CHECK(server.column("state", id) == "succeed");
  CHECK(server.column("meta", id) == "result");
  CHECK(server.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("A retry whose answer was lost is counted once") {
  Server server;
  const auto id = server.start(1);
  std::int32_t retries = 0;
  const auto retry = [&] {
    return server.table().retrySubtaskLater(
        {}, kNode, id, Error(ErrorCode::kPluginFailed, "again"), std::chrono::seconds(1), retries
    );
  };
  CHECK(server.writeWithLostAnswer(id, retry) == kApplied);
  CHECK(retries == 1);
  CHECK(server.store().scalar("select retries from disttask_attempt where subtask_id=1") == "1");
}

TEST_CASE("A retry or a hand-back of a row that the owner has made pending meanwhile is lost and notes nothing") {
  Server server;
  const auto id = server.start(1);
  server.store().execute("update tidb_background_subtask set state='pending' where id=1");
  const Error error(ErrorCode::kPluginFailed, "again");
  std::int32_t retries = 0;
  const auto outcome = GENERATE(true, false)
                           ? server.table().retrySubtaskLater({}, kNode, id, error, std::chrono::seconds(1), retries)
                           : server.table().handBackSubtask({}, kNode, id, error);
  CHECK(outcome == TransitionOutcome::kLost);
  CHECK(server.store().scalar("select count(*) from disttask_attempt") == "0");
}

TEST_CASE("After a checkpoint of unknown outcome the token changes, so that the old write cannot land over the new one"
) {
  Server server;
  const auto id = server.start(1);
  const auto old_token = server.column("ddl_physical_tid", id);
  CHECK(server.writeWithLostAnswer(id, [&] {
    return server.table().updateSubtaskCheckpoint({}, kNode, id, "newer");
  }) == kApplied);
  const auto token = server.column("ddl_physical_tid", id);
  CHECK(token != old_token);
  CHECK(token == std::to_string(server.table().liveToken(id).value()));
  CHECK(proto::isIdempotent(server.table().liveToken(id)));
  // The write of the killed connection, arriving late.
  CHECK(
      server.store().execute(
          "update tidb_background_subtask set checkpoint='older' where id=1 and exec_id='" + kNode +
          "' and state='running' and ddl_physical_tid=" + old_token
      ) == 0
  );
  CHECK(server.table().getSubtaskCheckpoint({}, id) == "newer");
  // Nobody takes the run for an orphan, and it ends as always.
  CHECK(server.table().takeOrphans({}, kNode, TaskId(1), 3).empty());
  CHECK(server.table().findLostRuns({}, kNode, {id}).empty());
  CHECK(server.table().updateSubtaskCheckpoint({}, kNode, id, "next") == kApplied);
  CHECK(server.column("ddl_physical_tid", id) == token);
  CHECK(server.table().finishSubtask({}, kNode, id, "result", {}) == kApplied);
}

TEST_CASE("A start that could not be confirmed in time is not live, and its late effect is given back uncounted") {
  Server server;
  const auto id = server.add(1);
  const auto blocker = server.store().connect();
  blocker->begin();
  blocker->execute("update tidb_background_subtask set namespace='locked' where id=1");
  Call call;
  call.deadline = runtime::Deadline(runtime::systemClock(), std::chrono::milliseconds(300));
  std::optional<ErrorCode> thrown;
  runtime::ThreadGroup threads;
  threads.spawn("starter", [&] {
    try {
      static_cast<void>(server.table().startSubtask(call, Server::read(id), kNode, false));
    } catch (const Exception& e) {
      thrown = e.error().code();
    }
  });
  std::string token;
  CHECK(test::eventually([&] {
    token = std::to_string(server.table().liveToken(id).value());
    return token != "0";
  }));
  threads.join();
  blocker->commit();
  CHECK(thrown == ErrorCode::kTimedOut);
  CHECK(server.table().liveToken(id) == proto::RunToken{});
  // The UPDATE arrives after all: nothing ran under that token, so the row may run again although it is not idempotent.
  server.store().execute(
      "update tidb_background_subtask set state='running', ddl_physical_tid=" + token + " where id=1"
  );
  const auto taken = server.table().takeOrphans({}, kNode, TaskId(1), 3);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].second == OrphanOutcome::kGivenBack);
  CHECK(server.column("state", id) == "pending");
  CHECK(server.store().scalar("select count(*) from disttask_attempt") == "0");
}

TEST_CASE("A finish with a summary that is not JSON is refused, and its run can end as failed") {
  Server server;
  const auto id = server.start(1);
  std::optional<Error> refusal;
  try {
    static_cast<void>(server.table().finishSubtask({}, kNode, id, "result", "not json"));
  } catch (const Exception& e) {
    refusal = e.error();
  }
  REQUIRE(refusal);
  CHECK(refusal->code() == ErrorCode::kStoreContent);
  CHECK(server.column("state", id) == "running");
  CHECK(server.table().updateSubtaskStateAndError({}, kNode, id, SubtaskState::kFailed, refusal) == kApplied);
  CHECK(server.column("state", id) == "failed");
  CHECK(server.column("meta", id) == "meta");
  CHECK_FALSE(server.column("error", id).empty());
  CHECK(server.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("A summary that is not JSON is refused while the run goes on") {
  Server server;
  const auto id = server.start(1);
  std::optional<ErrorCode> thrown;
  try {
    static_cast<void>(server.table().updateSubtaskSummary({}, kNode, id, "{"));
  } catch (const Exception& e) {
    thrown = e.error().code();
  }
  CHECK(thrown == ErrorCode::kStoreContent);
  CHECK(server.table().finishSubtask({}, kNode, id, "result", "{}") == kApplied);
}

TEST_CASE("A summary above 256 KiB is written whole") {
  Server server;
  const auto id = server.start(1);
  const auto summary = R"({"row_count":1,"note":")" + std::string(300 * 1024, 'x') + "\"}";
  CHECK(server.table().finishSubtask({}, kNode, id, "result", summary) == kApplied);
  CHECK(server.column("length(cast(summary as char))>300*1024", id) == "1");
}

TEST_CASE("An end that went to history unseen is found there") {
  Server server;
  const auto id = server.start(1);
  const bool ended_by_us = GENERATE(true, false);
  CAPTURE(ended_by_us);
  server.store().execute(
      std::string("update tidb_background_subtask set state='") + (ended_by_us ? "succeed" : "canceled") +
      "' where id=1"
  );
  server.store().execute("insert into tidb_background_subtask_history select * from tidb_background_subtask");
  server.store().execute("delete from tidb_background_subtask");
  CHECK(
      server.table().finishSubtask({}, kNode, id, "result", {}) == (ended_by_us ? kApplied : TransitionOutcome::kLost)
  );
  CHECK(server.table().liveToken(id) == proto::RunToken{});
}

TEST_CASE("A hand-back by a node whose exec id needs quoting holds for that node") {
  Server server;
  const std::string node = "nöde\"\\'%";
  const auto id = server.add(1);
  server.store().execute("update tidb_background_subtask set exec_id='nöde\"\\\\\\'%' where id=1");
  REQUIRE(server.table().startSubtask({}, Server::read(id), node, true) == kApplied);
  REQUIRE(server.table().handBackSubtask({}, node, id, Error(ErrorCode::kPluginFailed, "no file")) == kApplied);
  CHECK(
      server.table().getSubtasksByExecIdAndStepAndStates({}, node, TaskId(1), Step(1), {SubtaskState::kPending}).empty()
  );
  server.store().execute("update disttask_attempt set handed_back='[\"other\"]'");
  CHECK(
      server.table()
          .getSubtasksByExecIdAndStepAndStates({}, node, TaskId(1), Step(1), {SubtaskState::kPending})
          .size() == 1
  );
}

#ifdef DISTTASK_FAILPOINTS
TEST_CASE("A row without a run that changes between the look and the write is left alone") {
  Server server;
  const auto id = server.add(1);
  server.store().execute("update tidb_background_subtask set state='running', ddl_physical_tid=1001 where id=1");
  struct Change {
    std::string set;
    std::string column;
    std::string value;
  };
  const auto change = GENERATE(
      Change{"ddl_physical_tid=2001", "ddl_physical_tid", "2001"},
      Change{"ddl_physical_tid=null", "ddl_physical_tid", ""},
      Change{"exec_id='node-b'", "exec_id", "node-b"},
      Change{"state='succeed'", "state", "succeed"}
  );
  CAPTURE(change.set);
  Failpoints::arm("task_table.before_unrun_write", [&] {
    server.store().execute("update tidb_background_subtask set " + change.set + " where id=1");
  });
  SECTION("cancel") {
    CHECK(server.table().cancelSubtask({}, kNode, TaskId(1)) == 0);
  }
  SECTION("pause") {
    CHECK(server.table().pauseSubtasks({}, kNode, TaskId(1)) == 0);
  }
  SECTION("fail") {
    const auto outcome = server.table().failSubtask({}, kNode, TaskId(1), Error(ErrorCode::kPluginFailed, "no"));
    if (change.column == "ddl_physical_tid") {
      // It looks again, and takes the row as it is now.
      CHECK(outcome == kApplied);
      Failpoints::disarmAll();
      return;
    }
    CHECK(outcome == TransitionOutcome::kMissing);
  }
  SECTION("orphan") {
    const auto taken = server.table().takeOrphans({}, kNode, TaskId(1), 3);
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].second == OrphanOutcome::kLost);
    CHECK(server.store().scalar("select count(*) from disttask_attempt") == "0");
  }
  Failpoints::disarmAll();
  CHECK(server.column("state", id) == (change.column == "state" ? "succeed" : "running"));
  CHECK(server.column(change.column, id) == change.value);
  CHECK(server.column("error is null", id) == "1");
}
#endif
