// into: append, and what happens with duplicates.
#include "import_fixture.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using test::ImportFixture;

TEST_CASE("Appending leaves the rows that are there, and is verified by the ledger") {
  ImportFixture f;
  f.execute("create table t (id int primary key, name varchar(20))");
  f.execute("insert into t values (100, 'old')");
  const Json result = f.importAndVerify(1, f.meta(f.file("f.csv", "id,name\n1,a\n2,b\n"), "t", R"("into": "append")"));
  CHECK(*result.find("verified_by") == Json("ledger"));
  CHECK(*result.find("verified_rows") == Json(2));
  CHECK(f.scalar("select count(*) from t") == "3");
}

TEST_CASE("A duplicate is an error, is ignored, or replaces the row, as asked") {
  ImportFixture f;
  f.execute("create table t (id int primary key, name varchar(20))");
  f.execute("insert into t values (2, 'old')");
  const std::string file = f.file("f.csv", "id,name\n1,a\n2,new\n3,c\n2,newer\n");
  CHECK_THAT(
      f.failure(1, f.meta(file, "t", R"("into": "append")")),
      Catch::StartsWith("line 3, byte 12: ") && Catch::Contains("Duplicate entry '2'")
  );
  CHECK(f.scalar("select count(*) from t") == "1");

  const auto ignored = f.import(2, f.meta(file, "t", R"("into": "append", "on_duplicate": "ignore")"));
  CHECK(*Json::parse(ignored.at(0)).find("written") == Json(2));
  CHECK(f.scalar("select group_concat(id, name order by id) from t") == "1a,2old,3c");

  const auto replaced = f.import(3, f.meta(file, "t", R"("into": "append", "on_duplicate": "replace")"));
  CHECK(*Json::parse(replaced.at(0)).find("written") == Json(4));
  CHECK(f.scalar("select group_concat(id, name order by id) from t") == "1a,2newer,3c");
}

TEST_CASE("A ledger that does not agree with the plan fails the verification with both figures") {
  ImportFixture f;
  f.execute("create table t (id int primary key)");
  const std::string meta = f.meta(f.file("f.csv", "id\n1\n2\n"), "t", R"("into": "append")");
  const auto results = f.import(1, meta);
  f.execute("update ledger set num_records = 1 where step = 1");
  const auto metas = f.plan(1, meta, 2, results);
  const auto step = f.step(1, meta, 2);
  CHECK_THROWS_WITH(f.run(*step, 2, 1, metas[0]), "verification failed: records: 1 in the ledger, 2 planned");
}
