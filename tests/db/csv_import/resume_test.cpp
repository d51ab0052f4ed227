// After a failure: what is in stays in, and a new task goes on from it.
#include "import_fixture.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using test::ImportFixture;

namespace {

std::string numbers(int to) {
  std::string text = "id,name\n";
  for (int i = 1; i <= to; ++i) text += std::to_string(i) + ",name " + std::to_string(i) + "\n";
  return text;
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

TEST_CASE("The ledger rows of a task go when a new task is planned long after its last chunk") {
  ImportFixture f;
  f.execute("create table t (id int, name varchar(50))");
  const std::string meta = f.meta(f.file("f.csv", numbers(10)), "t", R"("into": "append")");
  f.import(1, meta);
  f.import(2, meta);
  f.execute("update ledger set done_at = now() - interval 31 day where task_id = 1");
  f.execute("update ledger set done_at = now() - interval 29 day where task_id = 2");
  f.plan(3, meta, 1);
  CHECK(f.scalar("select group_concat(distinct task_id order by task_id) from ledger") == "2,3");
}
