// A batch of starts and finishes on a server: locked rows, lost answers, values that the store refuses.
#include "disttask/runtime/thread_group.hpp"

#include "support/test_store.hpp"
#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <optional>

using namespace disttask;           // NOLINT: a test
using namespace disttask::storage;  // NOLINT: a test

namespace {

const std::string kNode = "node-a:4000";
constexpr auto kApplied = TransitionOutcome::kApplied;
constexpr auto kLost = TransitionOutcome::kLost;

class Server {
 public:
  Server() {
    store_.execute(
        "insert into tidb_global_task (id, task_key, type, state, step, concurrency, meta, extra_params)"
        " values (1,'key','example','running',1,1,'{}','{}')"
    );
    for (int i = 1; i <= 8; ++i) add(i);
  }
  test::TestStore& store() { return store_; }
  TaskTable& table() { return store_->taskTable(); }

  static RunWrite startOf(int ordinal) {
    return RunStart{SubtaskId(ordinal), {TaskId(1), Step(1), ordinal, proto::RunToken{}}, true};
  }
  static RunWrite finishOf(int ordinal, std::optional<std::string> summary = std::nullopt) {
    return RunFinish{SubtaskId(ordinal), "result", std::move(summary)};
  }
  /// Starts the subtasks of these ordinals.
  void start(const std::vector<int>& ordinals) {
    std::vector<RunWrite> writes;
    for (const auto ordinal : ordinals) writes.push_back(startOf(ordinal));
    for (const auto& result : table().writeRuns({}, kNode, writes)) REQUIRE(result.outcome == kApplied);
  }
  std::string column(const std::string& name, int id) {
    return store_.scalar("select " + name + " from tidb_background_subtask where id=" + std::to_string(id));
  }
  std::string state(int id) { return column("state", id); }
  /// Opens a transaction that holds the lock of this row.
  std::unique_ptr<sqlclient::Connection> lock(int id) {
    auto blocker = store_.connect();
    blocker->begin();
    blocker->execute("update tidb_background_subtask set namespace='locked' where id=" + std::to_string(id));
    return blocker;
  }
  /// Waits until a batch of this schema is being written; returns its connection, "" for none.
  std::string waitForBatch() {
    std::string victim;
    CHECK(test::eventually([&] {
      victim = store_.scalar(
          "select id from information_schema.processlist where db=database() and id<>connection_id()"
          " and info like 'update tidb_background_subtask%case id%' limit 1"
      );
      return !victim.empty();
    }));
    return victim;
  }

 private:
  void add(int ordinal) {
    const auto id = std::to_string(ordinal);
    store_.execute(
        "insert into tidb_background_subtask (id, step, task_key, type, exec_id, state, checkpoint, concurrency, "
        "create_time, meta, ordinal, summary) values (" +
        id + ",1,'1',0,'" + kNode + "','pending','{}',1,now(),'meta'," + id + ",'{}')"
    );
  }
  test::TestStore store_;
};

/// A batch that another thread writes.
class Writing {
 public:
  Writing(Server& server, std::vector<RunWrite> writes) {
    threads_.spawn("writer", [&server, this, writes = std::move(writes)] {
      results_ = server.table().writeRuns({}, kNode, writes);
    });
  }
  std::vector<RunWriteResult> results() {
    threads_.join();
    return results_;
  }

 private:
  std::vector<RunWriteResult> results_;
  runtime::ThreadGroup threads_;
};

}  // namespace

TEST_CASE("A batch that meets a locked row comes back unsent, and its other rows can be written alone at once") {
  Server server;
  server.start({1, 2, 3});
  const auto blocker = server.lock(2);
  const auto results = server.table().writeRuns(
      {}, kNode, {Server::finishOf(1), Server::finishOf(2), Server::finishOf(3), Server::startOf(4)}
  );
  for (const auto& result : results) {
    REQUIRE(result.error);
    CHECK(shouldBeSentAlone(*result.error));
  }
  CHECK(server.state(1) == "running");
  CHECK(server.state(4) == "pending");
  // A start that was not sent has no live run; a finish keeps its run for the next try.
  CHECK(server.table().liveToken(SubtaskId(4)) == proto::RunToken{});
  CHECK(server.table().liveToken(SubtaskId(1)) != proto::RunToken{});
  CHECK(server.table().finishSubtask({}, kNode, SubtaskId(1), "alone", {}) == kApplied);
  const auto others = server.table().writeRuns({}, kNode, {Server::finishOf(3), Server::startOf(4)});
  CHECK(others[0].outcome == kApplied);
  CHECK(others[1].outcome == kApplied);
  CHECK(server.state(2) == "running");
  blocker->rollback();
  CHECK(server.table().finishSubtask({}, kNode, SubtaskId(2), "late", {}) == kApplied);
}

TEST_CASE("A batch whose answer was lost is concluded row by row from what the store shows") {
  Server server;
  server.start({1, 2, 3});
  const auto token = server.column("ddl_physical_tid", 1);
  auto blocker = server.lock(3);
  Writing writing(
      server, {Server::finishOf(1), Server::finishOf(2), Server::startOf(4), Server::startOf(5), Server::finishOf(3)}
  );
  server.store().execute("kill " + server.waitForBatch());
  // What happened meanwhile: the write for 1 was applied, 5 was taken by somebody else, the others are as before.
  server.store().execute("update tidb_background_subtask set state='succeed', meta='result' where id=1");
  server.store().execute("update tidb_background_subtask set exec_id='node-b' where id=5");
  blocker->rollback();
  const auto results = writing.results();
  REQUIRE(results.size() == 5);
  const std::vector<TransitionOutcome> expected{kApplied, kApplied, kApplied, kLost, kApplied};
  for (std::size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(results[i].error);
    CHECK(results[i].outcome == expected[i]);
  }
  CHECK(server.column("ddl_physical_tid", 1) == token);
  CHECK(server.state(2) == "succeed");
  CHECK(server.state(3) == "succeed");
  CHECK(server.state(4) == "running");
  CHECK(server.column("ddl_physical_tid", 4) == std::to_string(server.table().liveToken(SubtaskId(4)).value()));
  CHECK(server.state(5) == "pending");
  CHECK(server.table().liveToken(SubtaskId(5)) == proto::RunToken{});
}

TEST_CASE(
    "A result that the store refuses comes back as refused, its run is live, and no other row of the batch is held up"
) {
  Server server;
  server.start({1, 2, 3});
  const auto results = server.table().writeRuns(
      {}, kNode, {Server::finishOf(1, "{}"), Server::finishOf(2, "not json"), Server::startOf(4), Server::finishOf(3)}
  );
  for (const auto i : {0U, 2U, 3U}) {
    CHECK_FALSE(results[i].error);
    CHECK(results[i].outcome == kApplied);
  }
  REQUIRE(results[1].error);
  CHECK(results[1].error->code() == ErrorCode::kStoreContent);
  CHECK(server.state(1) == "succeed");
  CHECK(server.state(2) == "running");
  CHECK(server.column("meta", 2) == "meta");
  CHECK(server.state(3) == "succeed");
  CHECK(server.state(4) == "running");
  CHECK(
      server.table().updateSubtaskStateAndError({}, kNode, SubtaskId(2), SubtaskState::kFailed, results[1].error) ==
      kApplied
  );
  CHECK(server.state(2) == "failed");
  CHECK_FALSE(server.column("error", 2).empty());
  CHECK(server.table().liveToken(SubtaskId(2)) == proto::RunToken{});
}

TEST_CASE("A finish of a batch that went to history is found there") {
  Server server;
  server.start({1, 2});
  server.store().execute("update tidb_background_subtask set state='succeed' where id=1");
  server.store().execute("insert into tidb_background_subtask_history select * from tidb_background_subtask where id=1"
  );
  server.store().execute("delete from tidb_background_subtask where id=1");
  const auto results = server.table().writeRuns({}, kNode, {Server::finishOf(1), Server::finishOf(2)});
  CHECK(results[0].outcome == kApplied);
  CHECK(results[1].outcome == kApplied);
}

TEST_CASE("A single write that meets a locked row comes back unsent too, a start is not live then, a finish is") {
  Server server;
  server.start({1});
  const auto blocker = server.lock(1);
  const auto results = server.table().writeRuns({}, kNode, {Server::finishOf(1)});
  REQUIRE(results[0].error);
  CHECK(shouldBeSentAlone(*results[0].error));
  CHECK(server.table().liveToken(SubtaskId(1)) != proto::RunToken{});
  const auto second = server.lock(2);
  const auto started = server.table().writeRuns({}, kNode, {Server::startOf(2)});
  REQUIRE(started[0].error);
  CHECK(shouldBeSentAlone(*started[0].error));
  CHECK(server.table().liveToken(SubtaskId(2)) == proto::RunToken{});
}

TEST_CASE("A TiDB keeps the plan of a merged write of runs") {
  Server server;
  if (!server.store().isTiDb()) return;
  const auto counted = [&](const std::string& column) {
    return server.store().scalar(
        "select cast(coalesce(sum(" + column +
        "),0) as signed) from information_schema.statements_summary where schema_name=database() and digest_text like "
        "'update `tidb_background_subtask` set `meta` = case%'"
    );
  };
  // Two starts each, in a list of ids with two that nobody has; then two ends with summaries.
  server.start({1, 2});
  server.start({3, 4});
  server.start({5, 6});
  for (const int first : {1, 3, 5}) {
    const auto results = server.table().writeRuns(
        {}, kNode, {Server::finishOf(first, R"({"n":1})"), Server::finishOf(first + 1, R"({"n":2})")}
    );
    for (const auto& result : results) CHECK(result.outcome == kApplied);
  }
  CHECK(counted("exec_count") == "6");
  CHECK(counted("plan_cache_unqualified") == "0");
  // Four, unless somebody else's DDL comes in between: it makes each session plan anew.
  CHECK(std::stoi(counted("plan_cache_hits")) >= 1);
}

TEST_CASE("A batch takes summaries of any length beside others without one") {
  Server server;
  server.start({1, 2, 3});
  const std::string long_text(600 << 10, 'x');
  const auto results = server.table().writeRuns(
      {},
      kNode,
      {Server::finishOf(1, "{\"t\":\"" + long_text + "\"}"), Server::finishOf(2), Server::finishOf(3, R"({"n":3})")}
  );
  for (const auto& result : results) {
    CHECK_FALSE(result.error);
    CHECK(result.outcome == kApplied);
  }
  CHECK(
      server.store().scalar(
          "select length(json_unquote(json_extract(summary,'$.t'))) from tidb_background_subtask where id=1"
      ) == std::to_string(long_text.size())
  );
  CHECK(server.column("cast(summary as char)", 2) == "{}");
  CHECK(server.column("json_unquote(json_extract(summary,'$.n'))", 3) == "3");
  // Short ones alone, which a TiDB gets in another form.
  server.start({4});
  for (const auto& result : server.table().writeRuns({}, kNode, {Server::finishOf(4, R"({"n":4})")})) {
    CHECK(result.outcome == kApplied);
  }
  CHECK(server.column("json_unquote(json_extract(summary,'$.n'))", 4) == "4");
}
