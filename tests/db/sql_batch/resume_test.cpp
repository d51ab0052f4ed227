// Exactly once, whatever ends a run.
#include "batch_fixture.hpp"
#include "disttask/base/error.hpp"
#include "disttask/base/failpoint.hpp"
#include "disttask/runtime/thread_group.hpp"

#include "support/wait.hpp"
#include <catch2/catch.hpp>

#include <utility>

using namespace disttask;
using test::BatchFixture;

namespace {

struct Numbers : BatchFixture {
  Numbers() {
    makeNumbers(1000);
    metas = plan(1, task_meta);
  }
  ~Numbers() { Failpoints::disarmAll(); }
  void checkOnce() const {
    CHECK(scalar("select concat(count(*), ' ', sum(n), ' ', min(n), ' ', max(n)) from t") == "1000 1000 1 1");
  }

  std::string task_meta = meta("update t set n = n + 1 where {range}", "t", R"("chunk_rows": 100, "chunk_time": "0s")");
  std::vector<std::string> metas;
};

}  // namespace

TEST_CASE("A run that ends before or after a commit is gone on with at the place it reached") {
  Numbers f;
  REQUIRE(f.metas.size() == 1);
  const std::string where = GENERATE("sql_batch.chunk_taken", "sql_batch.before_commit", "sql_batch.after_commit");
  int passes = 0;
  Failpoints::arm(where, [&] {
    if (++passes % 3 == 0) throw sdk::Failure("this run ends here");
  });
  int runs = 0;
  for (bool done = false; !done; ++runs) {
    // Each time another node.
    const auto worker = f.step(1, f.task_meta);
    try {
      f.run(*worker, 1, f.metas[0]);
      done = true;
    } catch (const sdk::Failure&) {
    }
    REQUIRE(runs < 20);
  }
  CHECK(runs >= 3);
  CHECK(f.rows_of_last_run == 1000);  // also of what the runs before it did: the row has the last one's numbers
  f.checkOnce();
}

TEST_CASE("A commit whose answer is lost is looked up in the ledger") {
  Numbers f;
  int passes = 0;
  Failpoints::arm("sql_batch.after_commit", [&] {
    if (++passes == 2) throw Exception(ErrorCode::kStoreUnavailable, "the answer was lost");
  });
  const auto worker = f.step(1, f.task_meta);
  CHECK(f.run(*worker, 1, f.metas[0]).find("rows")->asInt() == 1000);
  CHECK(passes == 2 + 16);  // in chunks of half the size then
  f.checkOnce();
}

TEST_CASE("After a lost session chunks are half as large: theirs may have taken longer than servers let one be idle") {
  Numbers f;
  bool lost = false;
  Failpoints::arm("sql_batch.before_commit", [&] {
    if (!std::exchange(lost, true)) throw Exception(ErrorCode::kStoreUnavailable, "the session was ended");
  });
  CHECK(f.run(*f.step(1, f.task_meta), 1, f.metas[0]).find("chunks")->asInt() == 20);
  f.checkOnce();
}

TEST_CASE("Two runs of one subtask at the same time exclude each other, chunk by chunk") {
  Numbers f;
  runtime::ThreadGroup threads;
  test::TestSignal<std::string> ended;
  const auto first = f.step(1, f.task_meta, 2);
  const auto second = f.step(1, f.task_meta, 2);
  for (sdk::Step* worker : {first.get(), second.get()}) {
    threads.spawn("run", [&f, &ended, worker] {
      try {
        const test::FakeRun run(*f.host);
        sdk::Run call = run.run();
        sdk::Subtask subtask;
        subtask.step = 1;
        subtask.ordinal = 1;
        subtask.meta = f.metas[0];
        ended.send(*Json::parse(worker->runSubtask(call, subtask)).find("rows") == Json(1000) ? "done" : "wrong");
      } catch (const std::exception& exception) {
        ended.send(exception.what());
      }
    });
  }
  CHECK(ended.wait() == "done");
  CHECK(ended.wait() == "done");
  f.checkOnce();
}

TEST_CASE("A subtask whose ledger row was deleted fails instead of beginning anew") {
  Numbers f;
  int passes = 0;
  Failpoints::arm("sql_batch.after_commit", [&] {
    if (++passes == 3) throw sdk::Failure("this run ends here");
  });
  CHECK_THROWS_AS(f.run(*f.step(1, f.task_meta), 1, f.metas[0]), sdk::Failure);
  f.execute("delete from ledger where step = 1");
  CHECK_THROWS_WITH(
      f.run(*f.step(1, f.task_meta), 1, f.metas[0]), Catch::Contains("the ledger row of subtask 1 went away")
  );
  CHECK(f.scalar("select sum(n) from t") == "300");
  f.execute("delete from ledger");
  CHECK_THROWS_WITH(
      f.run(*f.step(1, f.task_meta), 1, f.metas[0]), Catch::Contains("the ledger knows nothing about task 1")
  );
}

TEST_CASE("A batch of the plan that is planned again gives the same subtasks, whatever was inserted meanwhile") {
  Numbers f;
  f.execute("insert into t values (4000, 0, 'behind')");
  CHECK(f.plan(1, f.task_meta) == f.metas);
}

TEST_CASE("The ledger rows of a task stay for some days after its end, and while it has not ended") {
  Numbers f;
  f.run(*f.step(1, f.task_meta), 1, f.metas[0]);
  f.execute("update ledger set done_at = now() - interval 40 day");
  f.plan(2, f.task_meta);
  CHECK(f.scalar("select count(*) from ledger where task_id = 1") == "2");
  f.type.cleanUp(f.host->host(), {1, 1, "key", "sql_batch", f.task_meta}, true);
  f.plan(3, f.task_meta);
  CHECK(f.scalar("select count(*) from ledger where task_id = 1") == "2");
  f.execute("update ledger set done_at = now() - interval 40 day where task_id = 1");
  f.plan(4, f.task_meta);
  CHECK(f.scalar("select count(*) from ledger where task_id = 1") == "0");
}
