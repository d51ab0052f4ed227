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

TEST_CASE("Keys of a fixed length, years, and a table in partitions") {
  BatchFixture f;
  // char ignores spaces at its end, and binary fills with zeros; 0x20 and 0x00 are of what the values themselves hold.
  const std::string type = GENERATE(as<std::string>(), "char(6)", "binary(4)", "year", "int");
  INFO(type);
  const bool split = type == "int";
  f.execute(
      "create table d (k " + type + " not null primary key, n int not null default 0)" +
      (split ? " partition by hash (k) partitions 5" : "")
  );
  std::string text;
  for (int i = 0; i != 120; ++i) {
    const std::string number = std::to_string(i);
    std::string value = split ? number : std::to_string(1960 + i);
    if (type == "char(6)") value = "'" + std::string(i % 2 == 0 ? " " : "") + number + "'";
    if (type == "binary(4)") value = "concat(char(" + std::to_string(i * 2) + "), char(0), char(32))";
    text += (text.empty() ? "(" : ",(") + value + ")";
  }
  f.execute("insert into d (k) values " + text);
  const std::string more = R"("chunk_rows": 7, "chunk_time": "0s", "subtask_rows": 100)";
  const auto results = f.work(1, f.meta("update d set n = n + 1 where {range}", "d", more));
  CHECK(sumOf(results, "rows") == 120);
  CHECK(f.scalar("select concat(count(*), ' ', min(n), ' ', max(n)) from d") == "120 1 1");
  if (split) {
    f.work(2, f.meta("update d partition (p0, p3) o set o.n = o.n + 1 where {range:o}", "d", more));
    CHECK(f.scalar("select concat(sum(n = 2), ' ', sum(n = 2 and k % 5 in (0, 3))) from d") == "48 48");
  }
}

TEST_CASE("Text keys that differ by spaces at their end, or in a leading column by case only") {
  BatchFixture f;
  // utf8mb4_nopad_bin is MariaDB's, utf8mb4_0900_bin MySQL's: there spaces at the end make another value.
  const std::string version = f.scalar("select version()");
  const std::string no_pad = version.find("MariaDB") != std::string::npos ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin";
  const std::string more = R"("chunk_rows": 1, "chunk_time": "0s", "subtask_rows": 100)";
  f.execute(
      "create table s (k varchar(20) character set utf8mb4 collate " + no_pad +
      " not null primary key, n int not null default 0)"
  );
  f.execute("insert into s (k) values (''), (' '), ('  '), ('a'), ('a '), ('a  '), ('A '), ('a\t'), ('a b')");
  CHECK(sumOf(f.work(1, f.meta("update s set n = n + 1 where {range}", "s", more)), "rows") == 9);
  CHECK(f.scalar("select concat(count(*), ' ', min(n), ' ', max(n)) from s") == "9 1 1");
  // Chunks of one and two rows end between spellings of one value.
  f.execute(
      "create table c (a varchar(20) character set utf8mb4 collate utf8mb4_general_ci not null, b int not null, "
      "n int not null default 0, primary key (a, b))"
  );
  f.execute("insert into c (a, b) values ('x', 1), ('X', 2), ('x', 3), ('X ', 4), ('x', 5), ('y', 1), ('Y', 2), ('', 1)"
  );
  for (const std::int64_t rows : {1, 2, 3}) {
    f.execute("update c set n = 0");
    const std::string chunk = R"("chunk_time": "0s", "subtask_rows": 100, "chunk_rows": )" + std::to_string(rows);
    CHECK(sumOf(f.work(1 + rows, f.meta("update c set n = n + 1 where {range}", "c", chunk)), "rows") == 8);
    CHECK(f.scalar("select concat(count(*), ' ', min(n), ' ', max(n)) from c") == "8 1 1");
  }
}
