#include "throttle.hpp"

#include "batch_fixture.hpp"
#include "disttask/plugin_common/named_lock.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace std::chrono_literals;
using test::BatchFixture;

namespace {

struct Throttled : BatchFixture {
  void start(const std::string& more) {
    makeNumbers(100);
    const auto task_meta = update(more);
    metas = plan(1, task_meta);
    worker = step(1, task_meta);
    threads.spawn("run", [this] {
      try {
        run(*worker, 1, metas.at(0));
        ended.send("done");
      } catch (const sdk::Cancelled&) {
        ended.send("cancelled");
      } catch (const std::exception& exception) {
        ended.send(exception.what());
      }
    });
  }
  /// Starts a run whose first chunk, of ten rows, asks for a rest of more than a minute.
  void restsAfterOneChunk() {
    statement += " and sleep(if(id = 3, 1, 0)) = 0";
    start(R"("chunk_rows": 10, "chunk_time": "0s", "sleep_ratio": 100)");
    REQUIRE(test::eventually([&] { return scalar("select sum(n) from t") == "10"; }));
  }
  [[nodiscard]] std::string update(const std::string& more) const { return meta(statement, "t", more); }
  [[nodiscard]] bool logged(const std::string& text) const {
    for (const std::string& line : host->log()) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }
  /// A window of one minute that is closed now, by the server's clock.
  [[nodiscard]] std::string closedWindow() const {
    return scalar(
        "select concat(date_format(now() + interval 6 hour, '%H:%i-'), date_format(now() + interval 7 hour, '%H:%i'))"
    );
  }

  std::string statement = "update t set n = n + 1 where {range}";
  std::vector<std::string> metas;
  std::unique_ptr<sdk::Step> worker;
  test::TestSignal<std::string> ended;
  runtime::ThreadGroup threads;
};

}  // namespace

TEST_CASE("Above max_load no chunk begins, it says why, and goes on once the limit is raised") {
  Throttled f;
  f.start(R"("max_load": {"Threads_connected": 0})");
  REQUIRE(test::eventually([&] { return f.logged("waits: max_load: Threads_connected is "); }));
  CHECK(f.scalar("select sum(n) from t") == "0");
  f.worker->taskMetaModified(f.host->host(), f.update(R"("max_load": {"Threads_connected": 1000000})"));
  CHECK(f.ended.wait(20s) == "done");
  CHECK(f.scalar("select sum(n) from t") == "100");
}

TEST_CASE("A run that is held up ends when it is cancelled, and the next one begins where nothing is done yet") {
  Throttled f;
  f.start(R"("window": ")" + f.closedWindow() + "\"");
  REQUIRE(test::eventually([&] { return f.logged("waits: window: the server's time of day is outside of "); }));
  f.host->cancel();
  CHECK(f.ended.wait(5s) == "cancelled");
  CHECK_THAT(
      f.checkpoints[1], Catch::StartsWith("{\"throttled_by\":\"window: the server's time of day is outside of ")
  );
  f.host->uncancel();
  f.worker->taskMetaModified(f.host->host(), f.update(""));
  f.run(*f.worker, 1, f.metas[0]);
  CHECK(f.checkpoints[1] == R"({"begun": true})");
  CHECK(f.scalar("select sum(n) from t") == "100");
}

TEST_CASE("Above critical_load the subtask fails, and says what is done") {
  Throttled f;
  f.start(R"("critical_load": {"Threads_connected": 0})");
  const auto text = f.ended.wait(20s);
  REQUIRE(text);
  CHECK_THAT(
      *text,
      Catch::StartsWith("critical_load: Threads_connected is ") &&
          Catch::Contains("(done: 0 of 1 subtasks, 0 of 100 rows")
  );
}

TEST_CASE("A replica that is none is refused, an unknown status variable too") {
  Throttled f;
  f.makeNumbers(10);
  if (!f.store.isTiDb()) {
    CHECK(
        f.failure(1, f.update(R"("max_lag": "2s", "replicas": ["other"])")) ==
        "replicas: the server of connection 'other' is not a replica"
    );
  }
  // Sources with names count, too. Here, since it makes the server a replica for a while.
  if (f.scalar("select version() like '%MariaDB%'") == "1") {
    const std::string name = "'" + f.store.schema() + "'";
    f.execute("change master " + name + " to master_host = '127.0.0.1', master_port = 1, master_user = 'nobody'");
    try {
      CHECK_NOTHROW(f.plan(3, f.update(R"("max_lag": "2s", "replicas": ["other"])")));
      sql_batch::ThrottleOptions options;
      options.max_lag_ms = 2000;
      options.replicas = {"other"};
      plugin_common::Sessions sessions("watch");
      sql_batch::Throttle throttle(options, sessions);
      CHECK(throttle.reasonToWait(f.host->host(), "main") == "max_lag: replica 'other' does not replicate now");
    } catch (const std::exception& exception) {
      FAIL_CHECK(exception.what());
    }
    f.execute("reset slave " + name + " all");
  }
  CHECK_THAT(
      f.failure(2, f.update(R"("max_load": {"No_such": 1})")),
      Catch::StartsWith("max_load: the server has no status variable No_such")
  );
}

TEST_CASE(
    "sleep_ratio makes a pause after each chunk, also where a chunk is a whole subtask, but not after the last one"
) {
  using Clock = std::chrono::steady_clock;
  BatchFixture f;
  f.makeNumbers(40);
  // Each row takes ten milliseconds: two subtasks of 200.
  const auto task_meta = f.meta(
      "update t set n = n + 1 where {range} and sleep(0.01) = 0", "t", R"("sleep_ratio": 3, "subtask_rows": 20)"
  );
  const auto metas = f.plan(1, task_meta);
  REQUIRE(metas.size() == 2);
  const auto worker = f.step(1, task_meta);
  const auto lasts = [&](std::int32_t ordinal) {
    const auto begin = Clock::now();
    const Json result = f.run(*worker, ordinal, metas[static_cast<std::size_t>(ordinal - 1)]);
    CHECK(result.find("chunks")->asInt() == 1);
    return Clock::now() - begin;
  };
  const auto first = lasts(1);
  CHECK(first >= 800ms);
  const auto last = lasts(2);
  CHECK(last >= 200ms);
  CHECK(last < first);
  CHECK(f.scalar("select sum(n) from t") == "40");
}

TEST_CASE("A closed window is opened by a new meta") {
  Throttled f;
  f.start(R"("window": ")" + f.closedWindow() + "\"");
  REQUIRE(test::eventually([&] { return f.logged("waits: window: the server's time of day is outside of "); }));
  CHECK(f.scalar("select sum(n) from t") == "0");
  f.worker->taskMetaModified(f.host->host(), f.update(""));
  CHECK(f.ended.wait(20s) == "done");
  CHECK(f.logged("goes on; window allows it"));
  CHECK(f.scalar("select sum(n) from t") == "100");
}

TEST_CASE("A run that waits for its turn looks at the throttles again before its chunk") {
  Throttled f;
  const auto other = f.store.connect();
  {
    // As another node would in its chunk.
    const plugin_common::NamedLock lock(
        *other,
        plugin_common::lockName("disttask_batch_", f.store.schema() + "/1"),
        0,
        [] { FAIL("the lock is taken"); }
    );
    f.start("");
    // It waits for the lock.
    REQUIRE(test::eventually([&] {
      return f.scalar(
                 "select count(*) from information_schema.processlist where db = '" + f.store.schema() +
                 "' and info like 'select get_lock%'"
             ) != "0";
    }));
    CHECK(test::eventually(10s, [&] { return f.logged("waits for its turn: "); }));
    f.worker->taskMetaModified(f.host->host(), f.update(R"("window": ")" + f.closedWindow() + "\""));
    CHECK(test::eventually(10s, [&] { return f.logged("waits: window: "); }));
  }
  CHECK_FALSE(f.ended.wait(1500ms));
  CHECK(f.scalar("select sum(n) from t") == "0");
  f.worker->taskMetaModified(f.host->host(), f.update(""));
  CHECK(f.ended.wait(20s) == "done");
  CHECK(f.scalar("select sum(n) from t") == "100");
}

TEST_CASE("A run that is under way takes in another sleep_ratio, max_lag with its replicas, and critical_load") {
  const std::string small = R"("chunk_rows": 1, "chunk_time": "0s")";
  Throttled f;
  f.statement += " and sleep(if(id = 3, 1, 0.02)) = 0";
  const auto chunks = [&] {
    return std::stoi(f.scalar("select ifnull(sum(num_bytes), 0) from ledger where step = 1"));
  };
  const auto modify = [&](const std::string& more) {
    f.worker->taskMetaModified(f.host->host(), f.update(small + more));
  };
  // A hundred seconds after the first chunk: a pause that is under way ends with the ratio that asked for it.
  f.start(small + R"(, "sleep_ratio": 100)");
  REQUIRE(test::eventually([&] { return chunks() == 1; }));
  modify("");
  REQUIRE(test::eventually([&] { return chunks() >= 3; }));

  modify(R"(, "max_lag": "2s", "replicas": ["other"])");
  REQUIRE(test::eventually([&] { return f.logged("waits: max_lag: replica 'other' "); }));
  CHECK(chunks() < 100);
  modify("");
  REQUIRE(test::eventually([&] { return f.logged("goes on; max_lag allows it"); }));

  modify(R"(, "critical_load": {"Threads_connected": 0})");
  const auto text = f.ended.wait();
  REQUIRE(text);
  CHECK_THAT(*text, Catch::StartsWith("critical_load: Threads_connected is "));
  CHECK(chunks() < 100);
  // It may be run again, and then has all of it done once.
  modify("");
  f.run(*f.worker, 1, f.metas.at(0));
  CHECK(f.scalar("select concat(min(n), ' ', max(n)) from t") == "1 1");
}

TEST_CASE("Size and time of chunks change with a new meta") {
  BatchFixture f;
  f.makeNumbers(2000);
  const auto with = [&](const std::string& more) {
    return f.meta("update t set n = n + 1 where {range}", "t", R"("subtask_rows": 500, )" + more);
  };
  const auto grows = with(R"("chunk_rows": 100, "chunk_time": "1h")");
  const auto metas = f.plan(1, grows);
  const auto worker = f.step(1, grows);
  const auto chunksOf = [&](std::int32_t ordinal) {
    return f.run(*worker, ordinal, metas.at(static_cast<std::size_t>(ordinal - 1))).find("chunks")->asInt();
  };
  CHECK(chunksOf(1) == 3);  // 100, 200, 200
  worker->taskMetaModified(f.host->host(), with(R"("chunk_rows": 100, "chunk_time": "0s")"));
  CHECK(chunksOf(2) == 5);
  worker->taskMetaModified(f.host->host(), with(R"("chunk_rows": 250, "chunk_time": "0s")"));
  CHECK(chunksOf(3) == 2);
  worker->taskMetaModified(f.host->host(), with(R"("chunk_rows": 50, "chunk_time": "1h")"));
  CHECK(chunksOf(4) == 4);  // 50, 100, 200, 150
}

TEST_CASE("What was planned is not changed by a new meta, and it is said") {
  Throttled f;
  f.makeNumbers(10);
  const auto task_meta = f.update("");
  f.metas = f.plan(1, task_meta);
  f.worker = f.step(1, task_meta);
  f.worker->taskMetaModified(f.host->host(), f.meta("update t set n = n + 100 where {range}", "t"));
  CHECK(f.logged("the task goes on with what was planned"));
  f.run(*f.worker, 1, f.metas[0]);
  CHECK(f.scalar("select sum(n) from t") == "10");
}

TEST_CASE("Work that begins after a new meta is what was planned, too, wherever that meta leads") {
  Throttled f;
  f.makeNumbers(10);
  f.metas = f.plan(1, f.update(""));
  // The schema of the task's own table is one of many; the same name stands in another.
  const test::TestStore elsewhere(test::TestStore::Schema::kEmpty);
  elsewhere.execute("create table t like " + f.store.schema() + ".t");
  elsewhere.execute("insert into t select * from " + f.store.schema() + ".t");
  std::string later;
  SECTION("a trial") {
    later = f.update(R"("dry_run": true)");
  }
  SECTION("another statement") {
    later = f.meta("update t set n = n + 100 where {range}", "t");
  }
  SECTION("another connection") {
    later = f.update(R"("connection": "nowhere")");
  }
  SECTION("another schema") {
    Json json = Json::parse(f.update(""));
    json["table"] = elsewhere.schema() + ".t";
    later = json.dump();
  }
  f.worker = f.step(1, later);
  const Json result = f.run(*f.worker, 1, f.metas.at(0));
  f.worker->cleanup(f.host->host());
  CHECK(result.find("rows")->asInt() == 10);
  CHECK(f.scalar("select sum(n) from t") == "10");
  CHECK(elsewhere.scalar("select sum(n) from t") == "0");
  CHECK(f.logged("the task goes on with what was planned"));
}

TEST_CASE("What a trial found out stays its result after a meta that is none") {
  Throttled f;
  f.makeNumbers(10);
  f.metas = f.plan(1, f.update(R"("dry_run": true)"));
  f.worker = f.step(1, f.update(""));
  CHECK(f.run(*f.worker, 1, f.metas.at(0)).dump() == Json::parse(f.metas[0]).dump());
  CHECK(f.scalar("select sum(n) from t") == "0");
}

TEST_CASE("Planning goes on where it began when the meta leads elsewhere between two batches") {
  Throttled f;
  f.makeNumbers(100);
  const test::FakePlanning first(*f.host, {}, 3);
  sdk::Planning call = first.planning();
  const auto task = [&](const std::string& meta) { return sdk::Task{1, 1, "key", "sql_batch", meta}; };
  const sdk::Cursor cursor = f.type.plan(call, task(f.update(R"("subtask_rows": 10)")), 1, "");
  REQUIRE_FALSE(cursor.complete);
  const test::FakePlanning second(*f.host, {}, 100);
  sdk::Planning next = second.planning();
  CHECK(f.type.plan(next, task(f.update(R"("connection": "nowhere")")), 1, cursor.next).complete);
  CHECK(first.batch().size() + second.batch().size() == 10);
}

TEST_CASE("A slip in the throttles of a new meta holds the work up and does not end it") {
  Throttled f;
  f.restsAfterOneChunk();
  std::string reason;
  std::string slip;
  SECTION("max_load") {
    slip = R"("max_load": {"No_such": 1})";
    reason = "max_load: the server has no status variable No_such";
  }
  SECTION("critical_load") {
    slip = R"("critical_load": {"No_such": 1})";
    reason = "critical_load: the server has no status variable No_such";
  }
  SECTION("replicas") {
    slip = R"("max_lag": "2s", "replicas": ["nowhere"])";
    reason = "max_lag: replica 'nowhere' cannot be asked: ";
  }
  f.worker->taskMetaModified(f.host->host(), f.update(slip));
  REQUIRE(test::eventually([&] { return f.logged("waits: " + reason); }));
  f.worker->taskMetaModified(f.host->host(), f.update(""));
  CHECK(f.ended.wait(20s) == "done");
  CHECK(f.scalar("select sum(n) from t") == "100");
}

TEST_CASE("A throttle that held a run up until it was stopped is not shown any more once the next one goes on") {
  Throttled f;
  f.restsAfterOneChunk();
  f.worker->taskMetaModified(f.host->host(), f.update(R"("window": ")" + f.closedWindow() + "\""));
  REQUIRE(test::eventually([&] { return f.logged("waits: window: "); }));
  f.host->cancel();
  CHECK(f.ended.wait(5s) == "cancelled");
  CHECK_THAT(f.checkpoints[1], Catch::Contains("throttled_by"));
  f.host->uncancel();
  f.worker->taskMetaModified(f.host->host(), f.update(""));
  f.run(*f.worker, 1, f.metas[0]);
  CHECK(f.checkpoints[1] == R"({"begun": true})");
}
