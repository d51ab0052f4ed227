// After a failure: what is in stays in, and a new task goes on from it.
#include "import_fixture.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using test::FakePlanning;
using test::ImportFixture;

namespace {

std::string numbers(int to) {
  std::string text = "id,name\n";
  for (int i = 1; i <= to; ++i) text += std::to_string(i) + ",name " + std::to_string(i) + "\n";
  return text;
}

constexpr const char* kTasks = "select coalesce(group_concat(distinct task_id order by task_id), '') from ledger";

// As the framework tells the task type that a task has ended.
void end(ImportFixture& f, std::int64_t task, const std::string& meta) {
  f.type.cleanUp(f.host->host(), {task, 1, "key", "csv_import", meta}, false);
}

}  // namespace

TEST_CASE("A failed task says how much remains, and a task that resumes it imports only that") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string file = f.file("f.csv", numbers(300));
  const std::string meta = f.meta(file, "t", R"("chunk_bytes": 1024)");
  const auto metas = f.plan(10, meta, 1);
  REQUIRE(metas.size() == 4);
  const auto step = f.step(10, meta, 1);
  f.run(*step, 1, 1, metas[0]);
  f.run(*step, 1, 4, metas[3]);
  const auto count = f.scalar("select count(*) from t");
  if (f.store.isTiDb()) f.execute("set global tidb_enable_check_constraint = 1");  // else it only parses them
  f.execute("alter table t add constraint not_100 check (id <> 100)");
  CHECK_THROWS_WITH(
      f.run(*step, 1, 2, metas[1]),
      Catch::StartsWith("line 101, byte ") &&
          Catch::Contains(
              "(" + count + " records in 2 chunks are imported, " + std::to_string(300 - std::stoi(count)) +
              " records in 2 chunks remain; a task with \"resume_of\": 10 continues with the same file)"
          )
  );
  f.type.revert(f.host->host(), {10, 1, "key", "csv_import", meta});
  REQUIRE(f.host->log().size() == 1);
  CHECK_THAT(f.host->log()[0], Catch::StartsWith("task 10: " + count + " records in 2 chunks are imported"));

  f.execute("alter table t drop constraint not_100");
  f.rows_reported = 0;
  const Json result = f.importAndVerify(11, f.meta(file, "t", R"("chunk_bytes": 1024, "resume_of": 10)"));
  CHECK(*result.find("verified_rows") == Json(300));
  CHECK(f.scalar("select concat(count(*), ' ', count(distinct id)) from t") == "300 300");

  // A resumed task can be resumed in turn: it names the same rows.
  const Json third = f.importAndVerify(12, f.meta(file, "t", R"("chunk_bytes": 1024, "resume_of": 11)"));
  CHECK(*third.find("verified_rows") == Json(300));
  CHECK(f.scalar("select count(*) from t") == "300");
}

TEST_CASE("Resuming is refused for an unknown task, other options or another state of the file") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string file = f.file("f.csv", numbers(10));
  f.import(10, f.meta(file, "t"));
  CHECK(
      f.failure(11, f.meta(file, "t", R"("resume_of": 9)")) ==
      "resume_of: task 9 left nothing in the ledger of this connection; submit without resume_of"
  );
  CHECK_THAT(
      f.failure(11, f.meta(file, "t", R"("resume_of": 10, "chunk_bytes": 2048)")),
      Catch::StartsWith("resume_of: task 10 was submitted with other options: ")
  );
  f.file("f.csv", numbers(11));
  CHECK_THAT(
      f.failure(11, f.meta(file, "t", R"("resume_of": 10)")),
      Catch::StartsWith("resume_of: task 10 read another state of the file: ")
  );
}

TEST_CASE("The ledger rows of a task go when a new task is planned long after its end") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(10)), "t", R"("into": "append")");
  for (const int task : {1, 2, 3}) f.import(task, meta);
  for (const int task : {1, 2}) end(f, task, meta);
  f.execute("update ledger set done_at = now() - interval 31 day where task_id in (1, 3)");
  f.execute("update ledger set done_at = now() - interval 29 day where task_id = 2");
  f.plan(4, meta, 1);
  // Task 3 has not ended, however long it stands.
  CHECK(f.scalar(kTasks) == "2,3,4");
  const auto metas = f.plan(3, meta, 1);
  CHECK(*Json::parse(f.run(*f.step(3, meta, 1), 1, 1, metas.at(0))).find("done_before") == Json(true));

  // Ended again, as a hook does: its end is the first one.
  f.execute("update ledger set done_at = now() - interval 31 day where task_id = 2");
  end(f, 2, meta);
  f.plan(4, meta, 1);
  CHECK(f.scalar(kTasks) == "3,4");
}

TEST_CASE("Ledger rows of another task type, and of older programs, keep to the rules they were written by") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(10)), "t", R"("into": "append")");
  for (const int task : {1, 2}) f.import(task, meta);
  // As an older program wrote them: nothing marks the end of its tasks.
  f.execute("update ledger set note = replace(note, '\"ends\":true,', '') where step = 0");
  f.execute("update ledger set done_at = now() - interval 31 day where task_id = 1 or step = 0");
  f.execute(
      "insert into ledger (store_id, task_id, step, ordinal, note, done_at) values "
      "('test-store', 7, 0, 0, '{\"work\":{\"identity\":1}}', now() - interval 99 day), "
      "('test-store', 7, 1, 1, '{\"position\":[]}', now() - interval 99 day)"
  );
  REQUIRE(f.scalar("select count(*) from ledger where note like '%ends%'") == "0");
  f.plan(3, meta, 1);
  CHECK(f.scalar(kTasks) == "2,3,7");
}

TEST_CASE("Whose planning failed has ended too") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string bad = f.meta(f.file("bad.csv", "id,name\n1,\"x\n"), "t");
  CHECK_THAT(f.failure(1, bad), Catch::Contains("never ends"));
  REQUIRE(f.scalar(kTasks) == "1");
  f.execute("update ledger set done_at = now() - interval 31 day");
  f.plan(2, f.meta(f.file("f.csv", numbers(10)), "t"), 1);
  CHECK(f.host->log() == std::vector<std::string>{});
  CHECK(f.scalar(kTasks) == "2");
}

TEST_CASE("What a task resumes stays in the ledger for as long as that task does") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string file = f.file("f.csv", numbers(300));
  const std::string more = R"("into": "append", "chunk_bytes": 1024)";
  const std::string first = f.meta(file, "t", more);
  const std::string second = f.meta(file, "t", more + R"(, "resume_of": 10)");
  const std::string third = f.meta(file, "t", more + R"(, "resume_of": 11)");
  const auto metas = f.plan(10, first, 1);
  REQUIRE(metas.size() == 4);
  f.run(*f.step(10, first, 1), 1, 1, metas[0]);
  end(f, 10, first);
  f.execute("update ledger set done_at = now() - interval 29 day");

  // It is as fresh as who goes on with it.
  f.plan(11, second, 1);
  CHECK(
      f.scalar("select count(*) from ledger where task_id = 10 and step = 0 and done_at > now() - interval 1 day") ==
      "1"
  );
  // While that one waits, other tasks come.
  f.execute("update ledger set done_at = now() - interval 31 day");
  f.plan(12, f.meta(f.file("other.csv", numbers(1)), "t", more), 1);
  CHECK(f.scalar(kTasks) == "10,11,12");
  f.importAndVerify(11, second);
  CHECK(f.scalar("select concat(count(*), ' ', count(distinct id)) from t") == "300 300");

  // A root that is gone is found, and nothing goes in again.
  f.execute("delete from ledger where task_id = 10 and step = 0");
  CHECK_THAT(
      f.failure(13, third),
      Catch::StartsWith("resume_of: the ledger rows of task 10, which say what is imported, are deleted (ledger_days)")
  );
  CHECK(f.scalar("select count(*) from t") == "300");
}

TEST_CASE("A task whose rows are too old is not resumed, and a chain of old tasks goes as a whole") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string file = f.file("f.csv", numbers(10));
  const std::string more = R"("into": "append")";
  const std::string first = f.meta(file, "t", more);
  const std::string second = f.meta(file, "t", more + R"(, "resume_of": 10)");
  f.import(10, first);
  f.import(11, second);
  for (const int task : {10, 11}) end(f, task, first);
  f.execute("update ledger set done_at = now() - interval 31 day");
  CHECK_THAT(f.failure(12, second), Catch::StartsWith("resume_of: task 10 left nothing in the ledger"));
  CHECK(f.scalar(kTasks).empty());
  CHECK(f.scalar("select count(*) from t") == "10");

  // The rows of one whose deletion broke off count as gone, and the next task ends it.
  f.import(20, first);
  f.execute("update ledger set bad_records = 3 where step = 0");
  CHECK_THROWS_WITH(f.plan(20, first, 2), Catch::StartsWith("the ledger knows nothing about task 20"));
  f.plan(21, first, 1);
  CHECK(f.scalar(kTasks) == "21");
}

TEST_CASE("A meta that was changed after planning fails the import, but for what may change") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string file = f.file("f.csv", numbers(300));
  const std::string meta = f.meta(file, "t", R"("chunk_bytes": 1024)");
  const std::string changed = f.meta(file, "t", R"("chunk_bytes": 1024, "null": "x")");
  const std::string allowed = f.meta(file, "t", R"("chunk_bytes": 1024, "max_bad_records": 5)");
  const auto message = Catch::StartsWith("the task meta was changed: an import keeps the options");
  const auto metas = f.plan(1, meta, 1);
  CHECK_THROWS_WITH(f.run(*f.step(1, changed, 1), 1, 1, metas[0]), message);
  std::vector<std::string> results;
  const auto step = f.step(1, allowed, 1);
  for (std::size_t i = 0; i != metas.size(); ++i) results.push_back(f.run(*step, 1, int(i + 1), metas[i]));
  CHECK_THROWS_WITH(f.plan(1, changed, 2, results), message);
  const auto parts = f.plan(1, allowed, 2, results);
  CHECK_THROWS_WITH(f.run(*f.step(1, changed, 2), 2, 1, parts[0]), message);
  CHECK_NOTHROW(f.run(*f.step(1, allowed, 2), 2, 1, parts[0]));

  // Between two batches of the planner.
  const FakePlanning begun(*f.host, {}, 1);
  sdk::Planning first = begun.planning();
  const std::string append = f.meta(file, "t", R"("chunk_bytes": 1024, "into": "append")");
  const sdk::Cursor cursor = f.type.plan(first, {2, 1, "key", "csv_import", append}, 1, {});
  REQUIRE_FALSE(cursor.complete);
  const FakePlanning next(*f.host, {}, 1);
  sdk::Planning second = next.planning();
  CHECK_THROWS_WITH(f.type.plan(second, {2, 1, "key", "csv_import", meta}, 1, cursor.next), message);
}

TEST_CASE("A revert whose target does not answer only says so") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(10)), "t", R"("connection": "gone")");
  CHECK_NOTHROW(f.type.revert(f.host->host(), {10, 1, "key", "csv_import", meta}));
  REQUIRE(f.host->log().size() == 1);
  CHECK_THAT(f.host->log()[0], Catch::StartsWith("task 10: how much is imported is not known: "));
}
