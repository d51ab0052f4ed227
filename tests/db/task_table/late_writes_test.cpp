// What reaches a row late or beside others: statements whose client is gone, orphan checks among live runs, results
// that no server takes.
#include "disttask/runtime/thread_group.hpp"

#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <atomic>
#include <optional>

using namespace disttask;           // NOLINT: a test
using namespace disttask::storage;  // NOLINT: a test

namespace {

const std::string kNode = "node-a:4000";
constexpr auto kApplied = TransitionOutcome::kApplied;

class Server {
 public:
  explicit Server(storage::mysql::StoreSettings settings = {})
      : store_(test::TestStore::Schema::kInstalled, std::move(settings)) {
    store_.execute(
        "insert into tidb_global_task (id, task_key, type, state, step, concurrency, meta, extra_params)"
        " values (1,'key','example','running',1,1,'{}','{}')"
    );
  }
  test::TestStore& store() { return store_; }
  TaskTable& table() { return store_->taskTable(); }

  void add(int ordinal) {
    const auto id = std::to_string(ordinal);
    store_.execute(
        "insert into tidb_background_subtask (id, step, task_key, type, exec_id, state, checkpoint, concurrency, "
        "create_time, meta, ordinal, summary) values (" +
        id + ",1,'1',0,'" + kNode + "','pending','{}',1,now(),'meta'," + id + ",'{}')"
    );
  }
  static proto::SubtaskBase read(int ordinal) {
    proto::SubtaskBase subtask;
    subtask.id = SubtaskId(ordinal);
    subtask.task_id = TaskId(1);
    subtask.step = Step(1);
    subtask.ordinal = ordinal;
    return subtask;
  }
  std::string column(const std::string& name, int id) {
    return store_.scalar("select " + name + " from tidb_background_subtask where id=" + std::to_string(id));
  }
  /// Returns how many statements on subtask rows wait in the server.
  int numWaiting() {
    return std::stoi(
        store_.scalar("select count(*) from information_schema.processlist where db=database() and "
                      "info like 'update tidb_background_subtask%'")
    );
  }

 private:
  test::TestStore store_;
};

}  // namespace

TEST_CASE("A finish that the server applies after its client has died changes no row that was taken meanwhile") {
  Server server;
  auto settings = server.store().settings();
  settings.connect.read_timeout =
      std::chrono::seconds(1);  // below the lock wait: the client is gone, its statement is not
  auto client = std::make_unique<storage::mysql::Store>(settings, runtime::systemClock());
  for (const int id : {1, 2}) {
    server.add(id);
    REQUIRE(client->taskTable().startSubtask({}, Server::read(id), kNode, true) == kApplied);
  }
  const auto holder = server.store().connect();
  holder->begin();
  holder->execute("update tidb_background_subtask set namespace='held' where id in (1, 2)");
  std::atomic<int> num_unknown{0};
  {
    runtime::ThreadGroup threads;
    for (const int id : {1, 2}) {
      threads.spawn("finish", [&, id] {
        Call call;
        call.deadline = runtime::Deadline(runtime::systemClock(), std::chrono::milliseconds(1200));
        try {
          static_cast<void>(client->taskTable().finishSubtask(call, kNode, SubtaskId(id), "late", {}));
        } catch (const Exception&) {
          ++num_unknown;
        }
      });
    }
    threads.join();
  }
  client.reset();
  REQUIRE(num_unknown == 2);
  REQUIRE(server.numWaiting() >= 2);  // both finishes are still held in the server
  // The owner took the first row, and another run of it began; nobody touched the second one.
  holder->execute("update tidb_background_subtask set ddl_physical_tid=77, start_time=5 where id=1");
  holder->commit();
  REQUIRE(test::eventually([&] { return server.numWaiting() == 0; }));
  // The held statement did come through; a TiDB ends it when it sees that its client has gone.
  CHECK(server.column("state", 2) == (server.store().isTiDb() ? "running" : "succeed"));
  CHECK(server.column("state", 1) == "running");
  CHECK(server.column("meta", 1) == "meta");
  CHECK(server.column("ddl_physical_tid", 1) == "77");
  CHECK(server.column("start_time", 1) == "5");
}

TEST_CASE("Orphan checks beside starts and finishes never take a live run") {
  Server server;
  constexpr int kThreads = 4;
  constexpr int kRows = 25;
  for (int id = 1; id <= kThreads * kRows; ++id) server.add(id);
  std::atomic<int> num_left{kThreads};
  std::atomic<int> num_done{0};
  int num_taken = 0;
  int num_checks = 0;
  runtime::ThreadGroup threads;
  for (int first = 0; first < kThreads; ++first) {
    threads.spawn("runner", [&, first] {
      try {
        for (int i = 0; i < kRows; ++i) {
          const int id = first * kRows + i + 1;
          if (server.table().startSubtask({}, Server::read(id), kNode, false) != kApplied) break;
          if (server.table().finishSubtask({}, kNode, SubtaskId(id), "result", {}) != kApplied) break;
          ++num_done;
        }
      } catch (const std::exception&) {
        num_done = -1000;
      }
      --num_left;
    });
  }
  while (num_left > 0) {
    // A row that ended between the look and the write is `lost`: nothing was written.
    for (const auto& [id, outcome] : server.table().takeOrphans({}, kNode, TaskId(1), 3)) {
      if (outcome != OrphanOutcome::kLost) ++num_taken;
    }
    ++num_checks;
  }
  threads.join();
  CHECK(num_checks > 5);
  CHECK(num_taken == 0);
  CHECK(num_done == kThreads * kRows);
  CHECK(
      server.store().scalar("select count(*) from tidb_background_subtask where state='succeed'") ==
      std::to_string(kThreads * kRows)
  );
  CHECK(server.store().scalar("select count(*) from disttask_attempt") == "0");
}

TEST_CASE("Orphan checks beside batches of finishes and starts never take a live run") {
  Server server;
  constexpr int kRows = 60;
  for (int id = 1; id <= kRows; ++id) server.add(id);
  std::atomic<bool> over{false};
  std::atomic<int> num_lost{0};
  runtime::ThreadGroup threads;
  threads.spawn("writer", [&] {
    try {
      // Two places: each batch ends two subtasks and begins the next two in their stead.
      for (int id = 1; id <= kRows + 2; id += 2) {
        std::vector<RunWrite> writes;
        for (const int done : {id - 2, id - 1}) {
          if (done >= 1) writes.emplace_back(RunFinish{SubtaskId(done), "result", std::nullopt});
        }
        for (const int next : {id, id + 1}) {
          if (next <= kRows) writes.emplace_back(RunStart{SubtaskId(next), {TaskId(1), Step(1), next, {}}, false});
        }
        for (const auto& result : server.table().writeRuns({}, kNode, writes)) {
          if (result.outcome != kApplied) ++num_lost;
        }
      }
    } catch (const std::exception&) {
      num_lost = 1000;
    }
    over = true;
  });
  int num_taken = 0;
  while (!over) {
    for (const auto& [id, outcome] : server.table().takeOrphans({}, kNode, TaskId(1), 3)) {
      if (outcome != OrphanOutcome::kLost) ++num_taken;
    }
  }
  threads.join();
  CHECK(num_taken == 0);
  CHECK(num_lost == 0);
  CHECK(
      server.store().scalar("select count(*) from tidb_background_subtask where state='succeed'") ==
      std::to_string(kRows)
  );
}

TEST_CASE("A result that is larger than the server takes is refused, and its run can end as failed") {
  Server server;
  const auto packet = std::stoull(server.store().scalar("select @@max_allowed_packet"));
  const std::string meta(packet + 1'000'000, 'x');
  server.add(1);
  REQUIRE(server.table().startSubtask({}, Server::read(1), kNode, true) == kApplied);
  std::optional<Error> refusal;
  try {
    static_cast<void>(server.table().finishSubtask({}, kNode, SubtaskId(1), meta, {}));
  } catch (const Exception& e) {
    refusal = e.error();
  }
  REQUIRE(refusal);
  CHECK(refusal->code() == ErrorCode::kStoreContent);
  CHECK(server.table().updateSubtaskStateAndError({}, kNode, SubtaskId(1), SubtaskState::kFailed, refusal) == kApplied);
  CHECK(server.column("state", 1) == "failed");
  CHECK(server.column("meta", 1) == "meta");
  CHECK_THAT(server.column("error", 1), Catch::Contains("message"));
  CHECK(server.table().liveToken(SubtaskId(1)) == proto::RunToken{});
  // The same statement of the same session goes on for others.
  for (const int id : {2, 3}) {
    server.add(id);
    REQUIRE(server.table().startSubtask({}, Server::read(id), kNode, true) == kApplied);
    CHECK(server.table().finishSubtask({}, kNode, SubtaskId(id), "result", {}) == kApplied);
    CHECK(server.column("state", id) == "succeed");
  }
}

TEST_CASE("A checkpoint that is larger than the server takes is refused by name, and the run goes on") {
  Server server;
  const auto packet = std::stoull(server.store().scalar("select @@max_allowed_packet"));
  server.add(1);
  REQUIRE(server.table().startSubtask({}, Server::read(1), kNode, true) == kApplied);
  REQUIRE(server.table().updateSubtaskCheckpoint({}, kNode, SubtaskId(1), "small") == kApplied);
  try {
    static_cast<void>(
        server.table().updateSubtaskCheckpoint({}, kNode, SubtaskId(1), std::string(packet + 1'000'000, 'x'))
    );
    FAIL("nothing was thrown");
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kStoreContent);
    CHECK(e.error().reaction() == Reaction::kGiveUp);
  }
  CHECK(server.column("checkpoint", 1) == "small");
  CHECK(server.column("state", 1) == "running");
  CHECK(server.table().updateSubtaskCheckpoint({}, kNode, SubtaskId(1), "next") == kApplied);
  CHECK(server.table().finishSubtask({}, kNode, SubtaskId(1), "result", {}) == kApplied);
  CHECK(server.column("checkpoint", 1) == "next");
}
