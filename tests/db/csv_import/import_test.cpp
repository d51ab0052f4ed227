// The import itself: once, twice, in parallel, after a lost commit.
#include "disttask/base/failpoint.hpp"
#include "disttask/runtime/thread_group.hpp"
#include "import_fixture.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <mutex>
#include <set>
#include <string>

using namespace disttask;
using test::FakeRun;
using test::ImportFixture;

namespace {

std::string numbers(int from, int to) {
  std::string text = "id,name\n";
  for (int i = from; i <= to; ++i) text += std::to_string(i) + ",name " + std::to_string(i) + "\n";
  return text;
}

constexpr const char* kSmallChunks = R"("chunk_bytes": 1024)";

}  // namespace

TEST_CASE("A file is imported in chunks and verified against the table") {
  ImportFixture f;
  f.execute("create table t (id int primary key, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(1, 1000)), "t", kSmallChunks);
  CHECK(f.plan(1, meta, 1).size() > 10);
  const Json result = f.importAndVerify(1, meta);
  CHECK(*result.find("verified_rows") == Json(1000));
  CHECK(*result.find("verified_by") == Json("table"));
  CHECK(result.find("columns_left_out")->asArray().empty());
  CHECK(f.scalar("select concat(count(*), ' ', sum(id), ' ', min(name)) from t") == "1000 500500 name 1");
  CHECK(f.rows_reported == 1000);
}

TEST_CASE("A trial of a task that does not exist plans like one that does, and writes nothing") {
  ImportFixture f;
  f.execute("create table t (id int primary key, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(1, 1000)), "t", kSmallChunks);
  const auto planned = f.plan(0, meta, 1);
  CHECK(planned.size() > 10);
  CHECK(f.plan(0, meta, 1) == planned);
  CHECK(f.scalar("select count(*) from ledger") == "0");
}

TEST_CASE("A chunk that runs again changes nothing, also without any key, and reports the ledger's numbers") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(1, 200)), "t", kSmallChunks);
  const auto metas = f.plan(1, meta, 1);
  const auto step = f.step(1, meta, 1);
  std::vector<Json> first;
  for (std::size_t i = 0; i != metas.size(); ++i) first.push_back(Json::parse(f.run(*step, 1, int(i + 1), metas[i])));
  for (std::size_t i = 0; i != metas.size(); ++i) {
    Json again = Json::parse(f.run(*step, 1, int(i + 1), metas[i]));
    CHECK(*again.find("done_before") == Json(true));
    CHECK(*again.find("row_sum") == *first[i].find("row_sum"));
    CHECK(*again.find("written") == *first[i].find("written"));
  }
  CHECK(f.scalar("select count(*) from t") == "200");
}

TEST_CASE("Chunks of one step run at the same time, bounded by the connection's places") {
  ImportFixture f;
  f.execute("create table t (id int primary key, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(1, 5000)), "t", R"("chunk_bytes": 4096)");
  const auto metas = f.plan(1, meta, 1);
  const auto step = f.step(1, meta, 1);
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::set<std::string> problems;
  {
    runtime::ThreadGroup threads;
    for (int t = 0; t != 8; ++t) {
      threads.spawn("import", [&] {
        for (std::size_t i = next++; i < metas.size(); i = next++) {
          const FakeRun run(*f.host);
          sdk::Run call = run.run();
          try {
            step->runSubtask(call, {0, 1, 1, int(i + 1), metas[i]});
          } catch (const std::exception& exception) {
            const std::lock_guard lock(mutex);
            problems.insert(exception.what());
          }
        }
      });
    }
    threads.join();
  }
  CHECK(problems == std::set<std::string>{});
  CHECK(f.scalar("select count(*) from t") == "5000");
  CHECK(f.host->mostPlacesTaken() <= 4);
}

TEST_CASE("When the connection dies at the commit, the ledger decides: the chunk is in once") {
  ImportFixture f;
  const std::string user = f.useOwnUser();
  f.execute("create table t (id int, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(1, 30)), "t");
  const auto metas = f.plan(1, meta, 1);
  REQUIRE(metas.size() == 1);
  const auto step = f.step(1, meta, 1);

  // Before the commit arrives: the rows are gone with the session, the second round writes them.
  int kills = 0;
  Failpoints::arm("csv_import.before_commit", [&] {
    if (kills++ > 0) return;
    const std::string id = f.scalar("select max(id) from information_schema.processlist where user = '" + user + "'");
    f.execute("kill connection " + id);
  });
  const Json result = Json::parse(f.run(*step, 1, 1, metas[0]));
  Failpoints::disarm("csv_import.before_commit");
  CHECK(kills == 2);
  CHECK(result.find("done_before") == nullptr);
  CHECK(f.scalar("select count(*) from t") == "30");
  CHECK(f.rows_reported == 30);

  // The answer to a commit that was applied is lost: what is left is a chunk that is in, and the next run finds that.
  const Json again = Json::parse(f.run(*step, 1, 1, metas[0]));
  CHECK(*again.find("done_before") == Json(true));
  CHECK(f.scalar("select count(*) from t") == "30");
}

TEST_CASE("A connection that breaks within a chunk has nothing to do with the rest of its file") {
  ImportFixture f;
  const std::string user = f.useOwnUser();
  f.execute("create table t (id int primary key, name varchar(50))");
  const std::string content = numbers(1, 1200);  // more than one batch: the rest is not read when the first one fails
  const std::string path = f.file("f.csv", content);
  const auto time = std::filesystem::last_write_time(path);
  const std::string meta = f.meta(path, "t");
  const auto metas = f.plan(1, meta, 1);
  const auto step = f.step(1, meta, 1);
  int rounds = 0;
  // In the first round the last bytes are others, as if somebody wrote to the file: what is told is what happened.
  Failpoints::arm("csv_import.chunk_taken", [&] {
    f.file("f.csv", rounds == 0 ? content.substr(0, content.size() - 2) + "x\n" : content);
    std::filesystem::last_write_time(path, time);
    if (rounds++ > 0) return;
    const std::string id = f.scalar("select max(id) from information_schema.processlist where user = '" + user + "'");
    f.execute("kill connection " + id);
  });
  CHECK_NOTHROW(f.run(*step, 1, 1, metas.at(0)));
  Failpoints::disarm("csv_import.chunk_taken");
  CHECK(rounds == 2);
  CHECK(f.scalar("select concat(count(*), ' ', sum(id)) from t") == "1200 720600");
}

TEST_CASE("A second run beside the first waits for it and finds the chunk done") {
  ImportFixture f;
  const std::string user = f.useOwnUser();
  f.execute("create table t (id int, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(1, 30)), "t");
  const auto metas = f.plan(1, meta, 1);
  const auto first = f.step(1, meta, 1);
  const auto second = f.step(1, meta, 1);
  std::atomic<bool> held{false};
  std::string second_result;
  runtime::ThreadGroup threads;
  Failpoints::arm("csv_import.before_commit", [&] {
    if (held.exchange(true)) return;
    threads.spawn("second", [&] {
      const FakeRun run(*f.host);
      sdk::Run call = run.run();
      second_result = second->runSubtask(call, {0, 1, 1, 1, metas[0]});
    });
    // Goes on once the second one stands before the ledger row.
    const std::string waiting =
        f.store.isTiDb()
            ? "select count(*) from information_schema.tidb_trx t where t.state = 'LockWaiting' and t.user = '"
            : "select count(*) from information_schema.innodb_trx t join information_schema.processlist p "
              "on p.id = t.trx_mysql_thread_id where t.trx_state = 'LOCK WAIT' and p.user = '";
    const auto waits = [&] { return f.scalar(waiting + user + "'") != "0"; };
    for (int i = 0; i < 500 && !waits(); ++i) f.host->host().sleep(10);
  });
  const Json result = Json::parse(f.run(*first, 1, 1, metas[0]));
  threads.join();
  Failpoints::disarm("csv_import.before_commit");
  CHECK(result.find("done_before") == nullptr);
  CHECK(*Json::parse(second_result).find("done_before") == Json(true));
  CHECK(f.scalar("select count(*) from t") == "30");
}

TEST_CASE("A cancelled run leaves no row") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(1, 30)), "t");
  const auto metas = f.plan(1, meta, 1);
  const auto step = f.step(1, meta, 1);
  Failpoints::arm("csv_import.chunk_taken", [&] { f.host->cancel(); });
  CHECK_THROWS_AS(f.run(*step, 1, 1, metas[0]), sdk::Cancelled);
  Failpoints::disarm("csv_import.chunk_taken");
  CHECK(f.scalar("select count(*) from t") == "0");
  CHECK(f.scalar("select count(*) from ledger where step = 1") == "0");
}

TEST_CASE("An empty file is imported and verified as nothing") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const Json result = f.importAndVerify(1, f.meta(f.file("f.csv", "id,name\n"), "t"));
  CHECK(*result.find("verified_rows") == Json(0));
}

TEST_CASE("The steps are import, then verify") {
  ImportFixture f;
  const sdk::Task task;
  CHECK(f.type.nextStep(f.host->host(), task, sdk::kStepInit) == 1);
  CHECK(f.type.nextStep(f.host->host(), task, 1) == 2);
  CHECK(f.type.nextStep(f.host->host(), task, 2) == sdk::kStepDone);
  CHECK(f.type.isIdempotent({}));
}
