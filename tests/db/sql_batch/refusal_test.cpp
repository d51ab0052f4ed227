#include "batch_fixture.hpp"
#include "disttask/base/random.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <string>

using namespace disttask;
using test::BatchFixture;

namespace {

/// An account that may use the tables `t` and `ledger` of the fixture only.
class NarrowAccount {
 public:
  explicit NarrowAccount(BatchFixture& f) : f_(f), name_("t" + std::to_string(randomToken() % 1'000'000'000'000)) {
    for (const std::string at : {"'@'%'", "'@'localhost'"}) {
      f_.execute("create user '" + name_ + at + " identified by 'test'");
      for (const char* table : {".t", ".ledger"}) {
        f_.execute("grant select, insert, update, delete on " + f_.store.schema() + table + " to '" + name_ + at);
      }
    }
    Json json = Json::parse(f_.connectionJson());
    json["user"] = name_;
    json["password"] = "test";
    f_.host = std::make_unique<test::FakeHost>(std::map<std::string, std::string>{{"main", json.dump()}});
  }
  NarrowAccount(const NarrowAccount&) = delete;
  NarrowAccount& operator=(const NarrowAccount&) = delete;
  ~NarrowAccount() {
    try {
      f_.execute("drop user '" + name_ + "'@'%', '" + name_ + "'@'localhost'");
    } catch (const Exception&) {  // the server is gone, and its users with it
    }
  }
  void grantProcess() {
    for (const char* at : {"'@'%'", "'@'localhost'"}) f_.execute("grant process on *.* to '" + name_ + at);
  }

 private:
  BatchFixture& f_;
  std::string name_;
};

}  // namespace

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

TEST_CASE("A cascade that an insert sets off by updating its duplicates is refused") {
  BatchFixture f;
  f.makeNumbers(10);
  f.execute("create table u (id int primary key, g int not null, h int, unique key (g))");
  f.execute("create table child (g int, foreign key fk (g) references u (g) on update cascade)");
  f.execute("insert into u values (3, 1, 0)");
  f.execute("insert into child values (1)");
  const std::string insert = "insert into u (id, g) select id, n + id from t where {range} on duplicate key update ";
  CHECK_THAT(
      f.failure(1, f.meta(insert + "h = 1, u.G = u.g + 100", "t")),
      Catch::StartsWith("table " + f.store.schema() + ".u: the foreign key") &&
          Catch::Contains("of table child would change rows there too")
  );
  CHECK(f.scalar("select g from child") == "1");
  CHECK(f.failure(2, f.meta(insert + "h = 1", "t")).empty());
  CHECK(f.scalar("select concat(count(*), ' ', sum(h)) from u") == "10 1");
  CHECK(f.failure(3, f.meta(insert + "g = u.g + 100", "t", R"("allow": ["cascades"])")).empty());
  CHECK(f.scalar("select g from child") == "101");
}

TEST_CASE("A cascade to a table that the account may not see is refused where it has PROCESS") {
  BatchFixture f;
  if (f.store.isTiDb()) return;  // has no table of all foreign keys
  f.makeNumbers(10);
  f.execute("create table `child-ü` (id int primary key, foreign key (id) references t (id) on delete cascade)");
  f.execute("insert into `child-ü` values (3), (30)");
  NarrowAccount account(f);
  const std::string meta = f.meta("delete from t where {range} and id < 20", "t");
  account.grantProcess();
  CHECK_THAT(f.failure(1, meta), Catch::Contains("would change rows there too; \"allow\": [\"cascades\"]"));
  CHECK(f.failure(2, f.meta("update t set n = 1 where {range}", "t")) == "");
  CHECK(f.scalar("select count(*) from `child-ü`") == "2");
}

TEST_CASE("An account without PROCESS has its batches all the same") {
  BatchFixture f;
  f.makeNumbers(10);
  const NarrowAccount account(f);
  CHECK(f.failure(1, f.meta("delete from t where {range} and id < 20", "t")) == "");
  CHECK(f.scalar("select count(*) from t") == "4");
}

TEST_CASE("An update of a join changes the walked table only") {
  BatchFixture f;
  f.makeNumbers(10);
  f.execute("create table u (uid int primary key, grp int not null, m int not null)");
  f.execute("insert into u values (3, 1, 0), (6, 1, 0), (9, 1, 0)");
  std::int64_t task = 0;
  const auto refusal = [&](const std::string& set) {
    return f.failure(++task, f.meta("update t join u on u.uid = t.id set " + set + " where {range:t}", "t"));
  };
  CHECK(
      refusal("m = m + 1") == "statement: sets 'm', expected a column of " + f.store.schema() +
                                  ".t, the table whose key is walked; a joined table may not change"
  );
  CHECK_THAT(refusal("n = 1, t.m = 1"), Catch::StartsWith("statement: sets 'm', expected a column of"));
  CHECK(refusal("N = u.m + 1").empty());
  CHECK(f.scalar("select sum(n) from t") == "3");
  f.execute("alter table u add column n int not null default 0");
  CHECK_THAT(refusal("n = 2"), Catch::Contains("ambiguous"));
  CHECK(f.scalar("select sum(m) + sum(n) from u") == "0");
}

TEST_CASE("A key that the server changes with the row, or that is set by another spelling, is refused") {
  BatchFixture f;
  f.execute(
      "create table k (id int primary key, n int not null, gross int not null default 0, `größe` int not null, "
      "at datetime not null default current_timestamp on update current_timestamp, unique key ua (at, id), "
      "unique key uo (`größe`))"
  );
  f.execute("insert into k (id, n, at, `größe`) values (1, 1, '2020-01-01', 1), (2, 2, '2020-01-02', 2)");
  std::string table = "k";
  const auto refusal = [&](const std::string& key, const std::string& set) {
    const std::string statement = "update " + table + " set " + set + " where {range}";
    return f.failure(1, f.meta(statement, table, R"("key": ")" + key + '"'));
  };
  CHECK(
      refusal("ua", "n = n + 1") ==
      "key: the server gives column 'at' of index 'ua' a new value when a row is updated (ON UPDATE), so that a row "
      "could be met twice; name another unique index"
  );
  CHECK_THAT(refusal("uo", "GRÖßE = `größe` + 5"), Catch::Contains("sets 'größe', a column of the key"));
  CHECK(refusal("uo", "gross = gross + 1") == "");
  CHECK(f.scalar("select sum(gross) from k") == "2");
  if (f.scalar("select version() like '%MariaDB%'") == "1") return;  // a generated column may be NULL there
  table = "computed";
  f.execute(
      "create table computed (id int primary key, n int not null, g int generated always as (n + 1) stored not null, "
      "unique key ug (g))"
  );
  f.execute("insert into computed (id, n) values (1, 1), (2, 2)");
  CHECK_THAT(refusal("ug", "n = n + 1"), Catch::Contains("'g' of index 'ug'") && Catch::Contains("(generated column)"));
  // A delete moves nothing.
  CHECK(f.failure(2, f.meta("delete from computed where {range}", table, R"("key": "ug")")) == "");
  CHECK(f.scalar("select count(*) from computed") == "0");
}

TEST_CASE("An insert into the table that it reads is refused by whatever letters the server takes for the same") {
  BatchFixture f;
  f.makeNumbers(10);
  const auto text = f.failure(1, f.meta("insert into T (id, n, pad) select id + 1, n, pad from t where {range}", "t"));
  if (f.scalar("select @@lower_case_table_names") == "0") {
    CHECK(text == "statement: there is no table " + f.store.schema() + ".T");
  } else {
    CHECK_THAT(text, Catch::Contains("which may be " + f.store.schema() + ".t that it reads"));
  }
  CHECK(f.scalar("select count(*) from t") == "10");
}

TEST_CASE("A key whose columns turn around is refused, one that descends throughout is walked") {
  BatchFixture f;
  f.execute("create table k (a int not null, b int not null, n int not null default 0, unique key uk (a asc, b desc))");
  // Servers before these keys take both words and ascend.
  const bool descends =
      f.scalar("select count(*) from information_schema.statistics where table_schema = database() and collation = 'D'"
      ) == "1";
  f.execute("insert into k (a, b) values (1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)");
  const std::string more = R"("key": "uk", "chunk_rows": 2, "chunk_time": "0s", "subtask_rows": 100)";
  const auto mixed = f.failure(1, f.meta("update k set n = n + 1 where {range}", "k", more));
  if (descends) {
    CHECK_THAT(mixed, Catch::Contains("ascending and descending columns ('b' turns around); expected one direction"));
    CHECK(f.scalar("select sum(n) from k") == "0");
  }
  f.execute("alter table k drop key uk");
  f.execute("alter table k add unique key uk (a desc, b desc)");
  f.execute("update k set n = 0");
  CHECK(f.failure(2, f.meta("update k set n = n + 1 where {range}", "k", more)).empty());
  CHECK(f.scalar("select concat(count(*), ' ', min(n), ' ', max(n)) from k") == "7 1 1");
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
  // By whatever name the statement calls it.
  CHECK_THAT(
      f.failure(
          3, f.meta("update t O ignore index (uk) set n = 1 where {range}", "t", R"("key": "uk", "subtask_rows": 500)")
      ),
      Catch::StartsWith("statement: each chunk would read about ")
  );
}

TEST_CASE("A statement whose chunks would each read all of another table is refused, unless that is small") {
  BatchFixture f;
  f.makeNumbers(1200);
  f.execute("create table big (id int primary key, g int not null, indexed int not null, key (indexed))");
  f.execute("create table small (id int primary key, g int not null)");
  std::string text;
  for (int i = 1; i <= 12'000; ++i) {
    const std::string number = std::to_string(i);
    text += (text.empty() ? "(" : ",(") + number + "," + number + "," + number + ")";
  }
  f.execute("insert into big values " + text);
  f.execute("insert into small select id, g from big where id <= 1000");
  f.execute("analyze table t, big, small");
  std::int64_t task = 0;
  const auto refusal = [&](const std::string& statement, const std::string& allow = "") {
    return f.failure(++task, f.meta(statement, "t", R"("subtask_rows": 400)" + allow));
  };
  const std::string join = "update t join big on big.g = t.id set t.n = t.n + 1 where {range:t}";
  CHECK_THAT(
      refusal(join),
      Catch::StartsWith("statement: each chunk would read all of 'big', about 1") &&
          Catch::Contains("where up to 10000 are expected")
  );
  CHECK_THAT(
      refusal("delete from t where {range} and id in (select b.g from big b)"),
      Catch::StartsWith("statement: each chunk would read all of 'b'")
  );
  // Where the first range is empty, one in the middle tells.
  CHECK_THAT(refusal(join + " and t.id > 1300"), Catch::StartsWith("statement: each chunk would read all of 'big'"));
  CHECK(f.scalar("select concat(count(*), ' ', sum(n)) from t") == "1200 0");
  CHECK(refusal("update t join small on small.g = t.id set t.n = 1 where {range:t}").empty());
  CHECK(refusal("update t join big on big.indexed = t.id set t.n = 2 where {range:t}").empty());
  CHECK(refusal("update t set n = (select max(id) from big where indexed = t.id) where {range} and id < 9000").empty());
  CHECK(refusal("update t set n = 3 where {range} and exists (select 1 from big where indexed = t.id)").empty());
  f.execute("update t set n = 0");
  CHECK(refusal(join, R"(, "allow": ["full_scan"])").empty());
  CHECK(f.scalar("select sum(n) from t") == "1200");
}
