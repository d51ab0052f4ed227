#include "batch_fixture.hpp"
#include "disttask/plugin_common/named_lock.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

using namespace disttask;
using namespace std::chrono_literals;
using test::BatchFixture;

namespace {

/// A subtask that runs on a thread of its own.
struct Running : BatchFixture {
  void start(const std::string& task_meta, std::int32_t parallel = 1) {
    makeNumbers(400);
    metas = plan(1, task_meta);
    REQUIRE(metas.size() == 1);
    worker = step(1, task_meta, parallel);
  }
  void spawn() {
    threads.spawn("run", [this] {
      try {
        result = run(*worker, 1, metas[0]);
        ended.send("done");
      } catch (const sdk::Cancelled&) {
        ended.send("cancelled");
      } catch (const std::exception& exception) {
        ended.send(exception.what());
      }
    });
  }

  std::vector<std::string> metas;
  std::unique_ptr<sdk::Step> worker;
  Json result;
  test::TestSignal<std::string> ended;
  runtime::ThreadGroup threads;
};

}  // namespace

TEST_CASE("A locked row holds up its chunk only: it is tried again, in smaller chunks, until the row is free") {
  Running f;
  f.start(f.meta("update t set n = n + 1 where {range}", "t", R"("chunk_rows": 100, "chunk_time": "0s")"));
  const auto blocker = f.store.connect();
  blocker->begin();
  blocker->execute("update t set n = n where id = 600");
  f.spawn();
  // The chunk before it goes through.
  REQUIRE(test::eventually([&] { return f.scalar("select count(*) from t where n = 1") == "100"; }));
  CHECK_FALSE(f.ended.wait(5s));
  blocker->rollback();
  CHECK(f.ended.wait(30s) == "done");
  CHECK(f.scalar("select concat(count(*), ' ', sum(n), ' ', max(n)) from t") == "400 400 1");
  CHECK(f.result.find("chunks")->asInt() > 4);
}

TEST_CASE("A run that waits for a lock leaves it when it is cancelled") {
  Running f;
  f.start(f.meta("update t set n = n + 1 where {range}", "t"));
  const auto blocker = f.store.connect();
  blocker->begin();
  blocker->execute("update t set n = n where id = 600");
  f.spawn();
  CHECK_FALSE(f.ended.wait(300ms));
  f.host->cancel();
  CHECK(f.ended.wait(5s) == "cancelled");
  blocker->rollback();
  f.host->uncancel();
  f.run(*f.worker, 1, f.metas[0]);
  CHECK(f.scalar("select concat(sum(n), ' ', max(n)) from t") == "400 1");
}

TEST_CASE("A chunk that waits for the lock of the table's definition is given up like one that waits for a row") {
  Running f;
  f.start(f.meta("update t set n = n + 1 where {range}", "t", R"("chunk_rows": 100, "chunk_time": "0s")"));
  if (f.store.isTiDb()) return;  // has no lock tables
  const auto blocker = f.store.connect();
  blocker->execute("lock tables t read");
  f.spawn();
  const std::string schema = f.store.schema();
  const auto waits = [&] {
    return f.scalar(
               "select count(*) from information_schema.processlist where db = '" + schema +
               "' and state like 'Waiting for table%'"
           ) != "0";
  };
  REQUIRE(test::eventually(waits));
  CHECK(test::eventually(10s, [&] { return !waits(); }));
  CHECK_FALSE(f.ended.wait(0ms));
  blocker->execute("unlock tables");
  CHECK(f.ended.wait(30s) == "done");
  CHECK(f.scalar("select concat(count(*), ' ', sum(n)) from t") == "400 400");
}

TEST_CASE("One chunk of a task runs at a time among all nodes, unless more were asked for") {
  const std::int32_t parallel = GENERATE(1, 2);
  Running f;
  f.start(f.meta("update t set n = n + 1 where {range}", "t"), parallel);
  // As another node would in its chunk.
  const auto other = f.store.connect();
  {
    const plugin_common::NamedLock lock(
        *other,
        plugin_common::lockName("disttask_batch_", f.store.schema() + "/1"),
        0,
        [] { FAIL("the lock is taken"); }
    );
    f.spawn();
    if (parallel == 1) CHECK_FALSE(f.ended.wait(2s));
    if (parallel == 2) CHECK(f.ended.wait(30s) == "done");
  }
  if (parallel == 1) CHECK(f.ended.wait(30s) == "done");
  CHECK(f.scalar("select sum(n) from t") == "400");
}
