// Each kind of bad input is one clear error, and leaves no row.
#include "import_fixture.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

using namespace disttask;
using test::ImportFixture;

namespace {

constexpr const char* kTable = "create table t (id int primary key, name varchar(10), born date)";

std::string content(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The error of a task that imports this text; nothing of it may be in the table.
std::string errorOf(ImportFixture& f, const std::string& text, const std::string& more = "") {
  static std::int64_t task = 100;
  const std::string error = f.failure(++task, f.meta(f.file("f.csv", text), "t", more));
  CHECK(f.scalar("select count(*) from t") == "0");
  CHECK(f.scalar("select count(*) from ledger where step = 1") == "0");
  const std::size_t remaining = error.find(" (0 records in 0 chunks are imported");
  return error.substr(0, remaining);
}

}  // namespace

TEST_CASE("Bad records are errors with line and byte offset") {
  ImportFixture f;
  f.execute(kTable);
  const std::string type = f.scalar(
      "select column_type from information_schema.columns where table_schema = database() and table_name = 't' and "
      "column_name = 'id'"
  );
  const std::string good = "id,name,born\n1,a,2000-01-01\n";
  CHECK(errorOf(f, good + "2,b\n") == "line 3, byte 28: 2 fields, expected 3");
  CHECK(errorOf(f, good + "2,b,2000-01-01,x\n") == "line 3, byte 28: 4 fields, expected 3");
  CHECK(
      errorOf(f, good + "2,\xff,\n") ==
      "line 3, byte 28: bad UTF-8 at byte 1 of the field for column 'name' (varchar(10))"
  );
  CHECK(errorOf(f, good + "2,\"b,\n") == "line 3, byte 30: a quoted field begins here and never ends");
  CHECK(errorOf(f, good + "2,b\"c,\n") == "line 3, byte 31: a quote inside a field that does not begin with one");
  CHECK(
      errorOf(f, good + "3000000000,b,\n") ==
      std::string("line 3, byte 28: value '3000000000' is out of range for column 'id' (") + type + ")"
  );
  CHECK(
      errorOf(f, good + "2,12345678901,\n") ==
      "line 3, byte 28: value '12345678901' of 11 characters is too long for column 'name' (varchar(10))"
  );
  CHECK(
      errorOf(f, good + ",b,\n") ==
      std::string("line 3, byte 28: NULL for column 'id' (") + type + "), which is not null"
  );
  CHECK_THAT(
      errorOf(f, good + "2,b,2000-02-30\n"),
      Catch::StartsWith("line 3, byte 28: ") && Catch::Contains("Incorrect date value: '2000-02-30'")
  );
  CHECK_THAT(
      errorOf(f, good + "2,b,\n\n1,c,\n"),
      Catch::StartsWith("line 5, byte 34: ") && Catch::Contains("Duplicate entry '1' for key")
  );
}

TEST_CASE("What the server would change with no more than a warning is an error too") {
  ImportFixture f;
  f.execute("create table t (id int, amount decimal(5,2), day date, small float)");
  CHECK_THAT(
      errorOf(f, "id,amount,day,small\n1,1.25,,\n2,1.239,,\n"),
      Catch::StartsWith("line 3, byte 29: the server would change a value: ") && Catch::Contains("for column 'amount'")
  );
  // Not left to the server: a TiDB cuts the time off and says nothing.
  CHECK(
      errorOf(f, "id,amount,day,small\n1,1.25,2000-01-01 00:00:00,\n2,1,2000-01-01 10:00:00,\n") ==
      "line 3, byte 48: value '2000-01-01 10:00:00' has a time of day, which would be cut off for column 'day' (date)"
  );
  CHECK_THAT(
      errorOf(f, "id,amount,day,small\n1,12345.6,,\n"),
      Catch::StartsWith("line 2, byte 20: ") && Catch::Contains("Out of range")
  );
}

TEST_CASE("What servers change without a word is an error too") {
  ImportFixture f;
  f.execute(
      "create table t (id int, seen datetime, stamp timestamp(3) null, took time(1), kind enum('a','7'), tags "
      "set('x','y'))"
  );
  const std::string head = "id,seen,stamp,took,kind,tags\n";
  const auto refusal = [&](const std::string& record) {
    const std::string error = errorOf(f, head + record + "\n");
    CHECK_THAT(error, Catch::StartsWith("line 2, byte 29: value "));
    return error.substr(error.find("' ") + 2);
  };
  CHECK_THAT(refusal("1,2020-01-01 10:00:00.5,,,,"), Catch::Contains("for column 'seen' (datetime)"));
  CHECK_THAT(refusal("1,,2020-01-01 10:00:00.1234,,,"), Catch::Contains("for column 'stamp' (timestamp(3))"));
  CHECK_THAT(refusal("1,,,10:00:00.25,,"), Catch::Contains("for column 'took' (time(1))"));
  CHECK_THAT(refusal("1,,,,1,"), Catch::Contains("for column 'kind' (enum('a','7'))"));
  CHECK_THAT(refusal("1,,,,,3"), Catch::Contains("for column 'tags' (set('x','y'))"));
  f.importAndVerify(
      1, f.meta(f.file("f.csv", head + "1,2020-01-01 10:00:00.0,2020-01-01 10:00:00.123,10:00:00.2,7,\"x,y\"\n"), "t")
  );
  CHECK(
      f.scalar("select concat_ws(' ', seen, stamp, took, kind, tags) from t") ==
      "2020-01-01 10:00:00 2020-01-01 10:00:00.123 10:00:00.2 7 x,y"
  );
  f.execute("create table b (id int, flag bit(8))");
  CHECK_THAT(
      f.failure(1, f.meta(f.file("f.csv", "id,flag\n1,1\n"), "b")),
      Catch::StartsWith("columns: 'flag' of table ") && Catch::Contains("is of type bit(8)")
  );
}

TEST_CASE("Files that are missing, outside, unreadable, compressed or changed are errors") {
  ImportFixture f;
  f.execute(kTable);
  const std::string dir = (f.dir / "in").string();
  CHECK(
      f.failure(1, f.meta(dir + "/none.csv", "t")) ==
      "file '" + dir + "/none.csv' cannot be read on this node: No such file or directory"
  );
  std::filesystem::create_symlink("loop.csv", dir + "/loop.csv");
  CHECK_THAT(
      f.failure(1, f.meta(dir + "/loop.csv", "t")),
      Catch::StartsWith("file '" + dir + "/loop.csv' cannot be read on this node: ") &&
          Catch::Contains("symbolic links")
  );
  // A node without the file gives the plan to another one.
  CHECK_THROWS_AS(f.plan(1, f.meta(dir + "/none.csv", "t"), 1), sdk::HandBack);
  const std::string outside = f.dir.write("out.csv", "id\n").string();
  CHECK(
      f.failure(1, f.meta(outside, "t")) ==
      "file '" + outside + "' is not below a directory of plugins.config.csv_import.allowed_dirs"
  );
  const std::string packed = f.file("f.csv.gz", "\x1f\x8b\x08");
  CHECK(f.failure(1, f.meta(packed, "t")) == "file '" + packed + "' is compressed (gzip); unpack it first");

  const std::string path = f.file("f.csv", "id,name,born\n1,a,\n2,b,\n");
  const std::string meta = f.meta(path, "t");
  const auto metas = f.plan(2, meta, 1);
  const auto step = f.step(2, meta, 1);
  const auto time = std::filesystem::last_write_time(path);
  f.file("f.csv", "id,name,born\n1,a,\n2,c,\n");
  // A change within the resolution of the clock, or by someone who puts the time back: the range's hash tells.
  std::filesystem::last_write_time(path, time);
  CHECK_THROWS_WITH(
      f.run(*step, 1, 1, metas[0]),
      Catch::StartsWith("file '" + path + "' has changed since planning: bytes 13 to 23 are others")
  );
  f.file("f.csv", "id,name,born\n1,\"a,\n2,c,\n");
  std::filesystem::last_write_time(path, time + std::chrono::seconds(1));
  CHECK_THROWS_WITH(
      f.run(*step, 1, 1, metas[0]),
      Catch::StartsWith("file '" + path + "' has changed since planning: 23 bytes then, 24 now")
  );
  CHECK(f.scalar("select count(*) from t") == "0");

  // What was rolled back was never counted.
  CHECK(f.rows_reported == 0);

  // A node without the file gives the chunk to another one.
  std::filesystem::remove(path);
  CHECK_THROWS_AS(f.run(*step, 1, 1, metas[0]), sdk::HandBack);
}

TEST_CASE("Targets that cannot take the import are errors of planning") {
  ImportFixture f;
  f.execute(kTable);
  const std::string s = f.store.schema();
  const std::string file = f.file("f.csv", "id,name,born\n1,a,\n");
  CHECK(f.failure(1, f.meta(file, "nope")) == "target: there is no table " + s + ".nope");
  f.execute("create view v as select * from t");
  CHECK(f.failure(1, f.meta(file, "v")) == "target: " + s + ".v is a view, not a table");
  if (!f.store.isTiDb()) {  // which has one engine, whatever is asked for
    f.execute("create table m (id int, name varchar(10), born date) engine=MyISAM");
    CHECK(
        f.failure(1, f.meta(file, "m")) ==
        "target: table " + s +
            ".m has the storage engine MyISAM, which cannot take a chunk in one transaction; InnoDB can"
    );
  }
  CHECK(
      f.failure(1, f.meta(file, "t", R"("columns": ["id", "name", "age"])")) ==
      "columns: table " + s + ".t has no column 'age'"
  );
  CHECK(f.failure(1, f.meta(file, "t", R"("columns": ["id", "ID", "name"])")) == "columns: 'id' is named twice");
  f.execute("create table g (id int, name varchar(10), born date, x int not null)");
  CHECK(f.failure(1, f.meta(file, "g")) == "columns: 'x' of table " + s + ".g has no default and is not in the file");
  f.execute("create table h (id int, name varchar(10), born int as (id + 1))");
  CHECK(f.failure(1, f.meta(file, "h")) == "columns: 'born' of table " + s + ".h is generated");
  const std::string own = " is the ledger table of connection 'main'; no task writes there";
  CHECK(f.failure(1, f.meta(file, "ledger")) == "target: " + s + ".ledger" + own);
  CHECK(f.failure(1, f.meta(file, "LedgeR")) == "target: " + s + ".LedgeR" + own);
  f.execute("insert into t values (5, 'x', null)");
  CHECK(f.failure(1, f.meta(file, "t")) == "target: table " + s + ".t is not empty, and into is 'empty'");
  CHECK(f.scalar("select count(*) from ledger") == "0");
}

TEST_CASE("Connections that may not be used, or have no ledger, are errors") {
  ImportFixture f;
  f.execute(kTable);
  const std::string file = f.file("f.csv", "id,name,born\n1,a,\n");
  CHECK(
      f.failure(1, f.meta(file, "t", R"("connection": "other")")) ==
      "connection 'other' is not one that this task type may use"
  );
  Json meta = Json::parse(f.meta(file, "t"));
  meta["target"]["schema"] = "mysql";
  CHECK(
      f.failure(1, meta.dump()) ==
      "target.schema: connection 'main' does not allow schema 'mysql' (connections.main.schemas)"
  );
  f.execute("drop table ledger");
  CHECK_THAT(
      f.failure(1, f.meta(file, "t")), Catch::Contains("run `disttaskctl schema install --connection main` first")
  );
}

TEST_CASE("Up to max_bad_records records go to a file with line and reason, and the rest is imported and verified") {
  ImportFixture f;
  f.execute(kTable);
  std::string text = "id,name,born\n";
  for (int i = 1; i <= 1000; ++i) {
    text += i == 17    ? "17,x,2000-13-01\n"
            : i == 500 ? "16,double,\n"
            : i == 700 ? "700,short\n"
                       : std::to_string(i) + ",ok,\n";
  }
  const std::string file = f.file("f.csv", text);
  const Json result = f.importAndVerify(7, f.meta(file, "t", R"("max_bad_records": 3)"));
  CHECK(*result.find("verified_rows") == Json(997));
  CHECK(*result.find("bad_records") == Json(3));
  CHECK(f.scalar("select concat(count(*), ' ', count(distinct id)) from t") == "997 997");
  const std::string rejects = content(f.dir / "rejects/f.csv.test-store.task7.chunk1.rejects.csv");
  CHECK_THAT(rejects, Catch::StartsWith("line,byte_offset,reason,record\n"));
  CHECK_THAT(rejects, Catch::Contains("\n18,") && Catch::Contains("\"17,x,2000-13-01\"\n"));
  CHECK_THAT(rejects, Catch::Contains("\n501,") && Catch::Contains("Duplicate entry '16'"));
  CHECK_THAT(rejects, Catch::Contains("\n701,") && Catch::Contains("\"2 fields, expected 3\",\"700,short\"\n"));

  f.execute("truncate t");
  CHECK_THAT(
      f.failure(8, f.meta(file, "t", R"("max_bad_records": 2)")),
      Catch::Contains("(bad record 3, max_bad_records is 2)")
  );
  CHECK(f.scalar("select count(*) from t") == "0");
  // Two in one chunk and one in another: each chunk alone keeps within the limit, all together do not.
  CHECK_THAT(
      f.failure(9, f.meta(file, "t", R"("max_bad_records": 2, "chunk_bytes": 5000)")),
      Catch::Contains("3 bad records so far in all chunks, max_bad_records is 2")
  );
}

TEST_CASE("A node that cannot write rejects gives the plan and the chunk to another one") {
  ImportFixture f;
  f.execute(kTable);
  const std::string meta = f.meta(f.file("f.csv", "id,name,born\n1,a\n"), "t", R"("max_bad_records": 1)");
  const auto metas = f.plan(1, meta, 1);
  std::filesystem::remove(f.dir / "rejects");
  const auto step = f.step(1, meta, 1);
  CHECK_THROWS_AS(f.run(*step, 1, 1, metas.at(0)), sdk::HandBack);
  CHECK_THROWS_AS(f.plan(2, meta, 1), sdk::HandBack);
  CHECK(f.scalar("select count(*) from ledger where step = 1") == "0");
}

TEST_CASE("max_bad_records needs a directory for the rejects") {
  ImportFixture f;
  f.execute(kTable);
  f.type.configure(f.host->host(), R"({"allowed_dirs": [")" + (f.dir / "in").string() + R"("]})");
  CHECK(
      f.failure(1, f.meta(f.file("f.csv", "id,name,born\n"), "t", R"("max_bad_records": 1)")) ==
      "max_bad_records: needs a directory for rejects, plugins.config.csv_import.rejects_dir"
  );
}
