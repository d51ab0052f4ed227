// Keys of all kinds: each row once, and no more is read than the range.
#include "batch_fixture.hpp"
#include "key_range.hpp"
#include "table_key.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using test::BatchFixture;
using test::sumOf;

namespace {

/// Rows read by the handlers of the storage engine in this session so far.
std::int64_t rowsRead(sqlclient::Connection& connection) {
  auto rows = connection.queryDynamic("rows_read", "show session status like 'Handler_read%'", {});
  std::int64_t sum = 0;
  while (rows.next()) sum += std::stoll(rows.getString(2));
  return sum;
}

}  // namespace

TEST_CASE("A composite key is walked in its order, and a chunk reads its own rows only") {
  BatchFixture f;
  f.execute(
      "create table c (a int not null, b varchar(20) collate utf8mb4_general_ci not null, c bigint unsigned not null, "
      "n int not null default 0, primary key (a, b, c))"
  );
  // Few values of the first column, so that a bound on it alone is no bound.
  std::string text;
  for (int i = 0; i != 3000; ++i) {
    text += (text.empty() ? "(" : ",(") + std::to_string(i % 3) + ",'k" + std::to_string(i / 3 % 50) + "'," +
            std::to_string(18446744073709551000U + static_cast<unsigned>(i / 150)) + ",0)";
  }
  f.execute("insert into c values " + text);
  const auto results = f.work(
      1,
      f.meta(
          "update c set n = n + 1 where {range}", "c", R"("chunk_rows": 37, "chunk_time": "0s", "subtask_rows": 700)"
      )
  );
  CHECK(sumOf(results, "rows") == 3000);
  CHECK(f.scalar("select concat(count(*), ' ', min(n), ' ', max(n)) from c") == "3000 1 1");
  if (f.store.isTiDb()) return;  // has no such counters
  const auto connection = f.store.connect();
  const auto key = sql_batch::describeKey(*connection, {f.store.schema(), "c"}, "PRIMARY");
  sql_batch::KeyRange range{{}, *sql_batch::lastKey(*connection, key)};
  range.after = *sql_batch::nthKey(*connection, key, range, 980);
  range.upto = *sql_batch::nthKey(*connection, key, range, 60);  // passes from a = 0 to a = 1
  CHECK(sql_batch::countRows(*connection, key, range) == 60);
  const auto before = rowsRead(*connection);
  connection->execute("update c set n = n + 1 where " + sql_batch::rangeCondition(key, range, ""));
  CHECK(rowsRead(*connection) - before <= 75);
  CHECK(f.scalar("select count(*) from c where n = 2") == "60");
}

TEST_CASE("Text keys keep the order and the bytes of their own character set and collation") {
  BatchFixture f;
  const std::string type = GENERATE(
      as<std::string>(),
      "varchar(60) character set utf8mb4 collate utf8mb4_unicode_ci",
      "varchar(60) character set utf8mb4 collate utf8mb4_bin",
      "varchar(60) character set latin1",
      "varbinary(60)"
  );
  INFO(type);
  f.execute("create table s (k " + type + " not null, n int not null default 0, unique key uk (k))");
  std::string text;
  for (int i = 0; i != 800; ++i) {
    const std::string odd = i % 4 == 0 ? "it''s \\\\ " : i % 4 == 1 ? "Ärger \"" : i % 4 == 2 ? "straße `" : "_%;-- ";
    text += (text.empty() ? "('" : ",('") + odd + std::to_string(i) + "',0)";
  }
  f.execute("insert into s values " + text);
  const auto results = f.work(
      1,
      f.meta(
          "update s set n = n + 1 where {range}",
          "s",
          R"("key": "uk", "chunk_rows": 30, "chunk_time": "0s", "subtask_rows": 200)"
      )
  );
  CHECK(results.size() == 4);
  CHECK(sumOf(results, "rows") == 800);
  CHECK(f.scalar("select concat(count(*), ' ', min(n), ' ', max(n)) from s") == "800 1 1");
}

TEST_CASE("Decimal, date and datetime keys") {
  BatchFixture f;
  const std::string type =
      GENERATE(as<std::string>(), "decimal(20,5)", "datetime(6)", "date", "time(3)", "bigint unsigned");
  INFO(type);
  f.execute("create table d (k " + type + " not null primary key, n int not null default 0)");
  const auto expression = [&](int i) -> std::string {
    const std::string number = std::to_string(i);
    if (type.compare(0, 4, "date") == 0) return "date_add('2026-01-01', interval " + number + " day)";
    if (type.compare(0, 4, "time") == 0) return "sec_to_time(" + std::to_string(i * 61 - 9000) + ".5)";
    if (type.compare(0, 3, "dec") == 0) return std::to_string(i - 150) + ".12345";
    return "18446744073709551" + std::to_string(100 + i);
  };
  for (int i = 0; i != 300; ++i) f.execute("insert into d (k) values (" + expression(i) + ")");
  const auto results = f.work(
      1,
      f.meta("update d set n = n + 1 where {range}", "d", R"("chunk_rows": 7, "chunk_time": "0s", "subtask_rows": 100)")
  );
  CHECK(sumOf(results, "rows") == 300);
  CHECK(f.scalar("select concat(count(*), ' ', min(n), ' ', max(n)) from d") == "300 1 1");
}
