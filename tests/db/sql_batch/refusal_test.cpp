#include "batch_fixture.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using test::BatchFixture;

TEST_CASE("Tables and keys that cannot be worked on safely are refused") {
  BatchFixture f;
  f.makeNumbers(10);
  const std::string t = f.store.schema() + ".t";
  const auto refusal = [&](const std::string& more) {
    return f.failure(1, f.meta("update t set n = n + 1 where {range}", "t", more));
  };
  CHECK(refusal(R"("key": "nix")") == "key: table " + t + " has no index 'nix'");
  f.execute("alter table t modify pad varchar(100) null");
  f.execute("alter table t add key plain (n), add unique key nullable (pad)");
  CHECK(refusal(R"("key": "plain")") == "key: index 'plain' of table " + t + " is not unique");
  CHECK_THAT(refusal(R"("key": "nullable")"), Catch::Contains("column 'pad', which may be NULL"));
  f.execute("create table no_key (n int)");
  CHECK(
      f.failure(1, f.meta("update no_key set n = 1 where {range}", "no_key")) ==
      "key: table " + f.store.schema() + ".no_key has no primary key; name a unique index by 'key'"
  );
  f.execute("create view v as select * from t");
  CHECK(
      f.failure(1, f.meta("update v set n = 1 where {range}", "v")) ==
      "table: " + f.store.schema() + ".v is a view, not a table"
  );
  f.execute("create table e (k enum('a','b') primary key, n int)");
  CHECK_THAT(
      f.failure(1, f.meta("update e set n = 1 where {range}", "e")),
      Catch::Contains("of type enum, which cannot bound a chunk exactly")
  );
  CHECK(
      f.failure(1, f.meta("update t set id = id + 1 where {range}", "t")) ==
      "statement: sets 'id', a column of the key by which the table is walked; a row could be met twice"
  );
  CHECK(f.scalar("select sum(n) from t") == "0");
}

TEST_CASE("No statement and no archive writes into the ledger") {
  BatchFixture f;
  f.makeNumbers(10);
  const std::string s = f.store.schema();
  const std::string own = " is the ledger table of connection 'main'; no task writes there";
  CHECK(f.failure(1, f.meta("delete from ledger where {range}", "ledger")) == "table: " + s + ".ledger" + own);
  CHECK(f.failure(1, f.meta("delete from LEDGER where {range}", "LEDGER")) == "table: " + s + ".LEDGER" + own);
  CHECK(
      f.failure(1, f.meta("insert into ledger (store_id) select 'x' from t where {range}", "t")) ==
      "statement: " + s + ".ledger" + own
  );
  const std::string archive = R"("archive": {"table": ")" + s + R"(.ledger"})";
  CHECK(f.failure(1, f.meta("delete from t where {range}", "t", archive)) == "archive.table: " + s + ".ledger" + own);
  CHECK(f.scalar("select count(*) from t") == "10");
}

TEST_CASE("A table without transactions, and keys by which rows have no exact order, are refused") {
  BatchFixture f;
  const auto refusal = [&](const std::string& columns, const std::string& more = "", const std::string& options = "") {
    f.execute("drop table if exists k");
    f.execute("create table k (" + columns + ")" + options);
    return f.failure(1, f.meta("update k set n = n + 1 where {range}", "k", more));
  };
  for (const char* type : {"timestamp", "float", "double", "enum('a')", "set('a')", "bit(4)"}) {
    INFO(type);
    CHECK_THAT(
        refusal(std::string("k ") + type + " not null, n int, primary key (k)"),
        Catch::Contains(", which cannot bound a chunk exactly; expected whole numbers, decimal,")
    );
  }
  CHECK_THAT(
      refusal("id int primary key, k varchar(50) not null, n int, unique key uk (k(10))", R"("key": "uk")"),
      Catch::Contains("holds only the beginning of column 'k'")
  );
  if (f.store.isTiDb()) return;  // has one engine
  CHECK_THAT(
      refusal("k int primary key, n int", "", " engine=myisam"),
      Catch::Contains("has the storage engine MyISAM, which cannot take a chunk in one transaction; InnoDB can")
  );
}

TEST_CASE("Triggers and cascades are refused unless they are meant") {
  BatchFixture f;
  f.makeNumbers(10);
  f.execute("create table child (id int primary key, foreign key fk (id) references t (id) on delete cascade)");
  CHECK_THAT(
      f.failure(1, f.meta("delete from t where {range}", "t")),
      Catch::Contains("would change rows there too; \"allow\": [\"cascades\"]")
  );
  CHECK(f.failure(2, f.meta("update t set n = 1 where {range}", "t")).empty());
  CHECK(f.failure(3, f.meta("delete from t where {range} and id < 10", "t", R"("allow": ["cascades"])")).empty());
  if (f.store.isTiDb()) return;  // has no triggers
  f.execute("create trigger tr before update on t for each row set new.pad = 'x'");
  CHECK_THAT(f.failure(4, f.meta("update t set n = 2 where {range}", "t")), Catch::Contains("has the trigger 'tr'"));
  CHECK(f.failure(5, f.meta("update t set n = 2 where {range}", "t", R"("allow": ["triggers"])")).empty());
  // An insert that meets its duplicates updates them.
  f.execute("create table s (id int primary key, n int not null)");
  const std::string insert = "insert into t (id, n, pad) select id, n, '' from s where {range}";
  CHECK_THAT(
      f.failure(6, f.meta(insert + " on duplicate key update n = 5", "s")), Catch::Contains("has the trigger 'tr'")
  );
  CHECK(f.failure(7, f.meta(insert, "s")).empty());
}

TEST_CASE("A statement whose chunks would read the whole table is refused") {
  BatchFixture f;
  f.makeNumbers(12'000);
  // Not by the primary key, which some servers have as the table itself and use in spite of all hints.
  f.execute("alter table t add column k int not null default 0");
  f.execute("update t set k = id");
  f.execute("alter table t add unique key uk (k)");
  f.execute("analyze table t");
  const std::string statement = "update t ignore index (uk) set n = 1 where {range}";
  const auto refusal = f.failure(1, f.meta(statement, "t", R"("key": "uk", "subtask_rows": 500)"));
  CHECK_THAT(refusal, Catch::StartsWith("statement: each chunk would read about "));
  CHECK(f.failure(2, f.meta(statement, "t", R"("key": "uk", "subtask_rows": 5000, "allow": ["full_scan"])")).empty());
}
