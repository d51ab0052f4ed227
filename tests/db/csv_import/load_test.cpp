// Rows that go in by `load data local`: the same rows as by inserts, and back to inserts whenever it is not in full.
#include "chunk_importer.hpp"
#include "disttask/base/failpoint.hpp"
#include "import_fixture.hpp"
#include "json_fields.hpp"
#include "row_loader.hpp"
#include "statements.hpp"
#include "table_gate.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace disttask;
using namespace disttask::csv_import;
using test::ImportFixture;

namespace {

std::unique_ptr<sqlclient::Connection> connect(const ImportFixture& f) {
  auto settings = f.store.settings().connect;
  settings.found_rows = false;
  settings.session = {statements::kNames, statements::kStrictMode, statements::kChecksOn};
  return sqlclient::Connection::open(settings);
}

bool serverLoads(const ImportFixture& f) {
  return serverTakesLoads(*connect(f));
}

/// Imports the file in one chunk, by loads if the server allows it, else and with `loads` null by inserts.
ChunkResult importFile(
    const ImportFixture& f,
    const std::string& meta,
    const std::vector<std::string>& metas,
    LoadTrust* loads,
    const std::function<void()>& check = [] {}
) {
  const auto connection = connect(f);
  const ImportOptions options = parseOptions(meta);
  const ChunkMeta chunk = ChunkMeta::parse(metas.at(0));
  const SourceFile file(options.file, {(f.dir / "in").string()});
  const Ledger ledger(f.store.schema() + ".ledger", "test-store", "main");
  const TargetTable target = describeTarget(*connection, options.schema, options.table, chunk.columns);
  return importChunk(
      *connection, file, chunk, 1, {options, target, ledger, 1, (f.dir / "rejects").string(), loads}, check
  );
}

std::string failureOf(
    const ImportFixture& f, const std::string& meta, const std::vector<std::string>& metas, LoadTrust* loads
) {
  try {
    static_cast<void>(importFile(f, meta, metas, loads));
  } catch (const Exception& exception) {
    return exception.error().message();
  }
  return {};
}

std::string quotedField(const std::string& text) {
  std::string field = "\"";
  for (const char c : text) field.append(c == '"' ? 2 : 1, c);
  return field + "\"";
}

// Texts that a loader may trip over, for a text and for a binary column.
std::vector<std::string> oddTexts() {
  using namespace std::string_literals;
  return {
      "",
      " ",
      "plain",
      "\\",
      "\\N",
      "\\\\",
      "NULL",
      "a\tb",
      "\t",
      "\n",
      "a\r\nb\r",
      "\"",
      "\"\"",
      "'",
      "a\\tb",
      "tail\\",
      "a\0b"s,
      "\0"s,
      "\x1a",
      "\b\x7f",
      "12345678\\",
      "\\1234567890123456",
      "ü€𝄞🙂",
      "🙂\\🙂\t🙂\n",
      "e\u0301"};
}

}  // namespace

TEST_CASE("A load puts in the same rows as inserts, byte by byte") {
  ImportFixture f;
  if (!serverLoads(f)) return;
  const std::string columns =
      "(n int, big bigint unsigned, small tinyint, t varchar(100), c char(20), long_text mediumtext, b varbinary(100), "
      "fixed binary(12), blob_column blob, price decimal(20,4), ratio double, born date, seen "
      "datetime(6), "
      "stamp timestamp(3) null, took time(2), grown year, kind enum('a','b\\\\c',''), tags set('x','y'), "
      "doubled int as (n * 2))";
  const std::vector<std::string> others = {
      "18446744073709551615,-128,,,,,,,-99999999999999.9999,1.7976931348623157e308,0001-01-01,9999-12-31 "
      "23:59:59.999999,"
      "1970-01-02 00:00:00,-838:59:59,1901,a,\"x,y\"",
      "9223372036854775808,127,\"\",\"\",\"\",\"\",\"\",\"\",0,-2.2250738585072014e-308,9999-12-31,0001-01-01 "
      "00:00:00,,"
      "838:59:59.00,2155,b\\c,",
      "0,0, , ,x,\\N,NULL,ab,0.0001,0.1,2024-02-29,2024-02-29 12:00:00.5,2038-01-01 "
      "01:02:03.004,00:00:00.25,0000,\"\",x"};
  std::string text = "n,t,c,long_text,b,fixed,blob_column,big,small,price,ratio,born,seen,stamp,took,grown,kind,tags\n";
  int number = -3;
  for (const std::string& odd : oddTexts()) {
    const std::string field = quotedField(odd);
    text += std::to_string(number++) + "," + field + "," + field + "," + field + "," + field + "," +
            quotedField(odd.substr(0, 12)) + "," + field +
            ",1,2,3.5,4,2020-01-01,2020-01-01 00:00:00,,01:00:00,2020,a,x\n";
  }
  for (const std::string& other : others) {
    // The first seven are texts or NULL; big and small come first in `other`.
    const std::size_t comma = other.find(',', other.find(',') + 1);
    const std::string head = other.substr(0, comma);
    std::string rest = other.substr(comma + 1);
    std::string texts;
    for (int i = 0; i != 6; ++i) {
      const std::size_t end = rest.find(',');
      texts += "," + rest.substr(0, end);
      rest.erase(0, end + 1);
    }
    text += std::to_string(number++) + texts + "," + head + "," + rest + "\n";
  }
  f.execute("create table loaded " + columns);
  f.execute("create table inserted " + columns);
  const std::string path = f.file("f.csv", text);
  const std::string more = R"("charset": "binary")";
  LoadTrust trust;
  const std::string loaded_meta = f.meta(path, "loaded", more);
  const ChunkResult loaded = importFile(f, loaded_meta, f.plan(1, loaded_meta, 1), &trust);
  f.execute("delete from ledger");
  const std::string inserted_meta = f.meta(path, "inserted", more);
  const ChunkResult inserted = importFile(f, inserted_meta, f.plan(1, inserted_meta, 1), nullptr);
  CHECK(loaded.loaded);
  CHECK_FALSE(inserted.loaded);
  CHECK(loaded.row_sum == inserted.row_sum);
  CHECK(f.scalar("select count(*) from loaded") == std::to_string(oddTexts().size() + others.size()));
  const std::string all =
      "concat_ws('|', n, big, small, ifnull(hex(t), '-'), ifnull(hex(c), '-'), ifnull(hex(long_text), '-'), "
      "ifnull(hex(b), '-'), ifnull(hex(fixed), '-'), ifnull(hex(blob_column), '-'), price, "
      "ratio, "
      "ifnull(born, '-'), seen, ifnull(stamp, '-'), took, grown, kind, ifnull(tags, '-'), doubled)";
  f.execute("set session group_concat_max_len = 1000000");
  CHECK(
      f.scalar("select group_concat(" + all + " order by n separator '\\n') from loaded") ==
      f.scalar("select group_concat(" + all + " order by n separator '\\n') from inserted")
  );
}

TEST_CASE("What a load would skip or mend is refused as by inserts, with the same words, and leaves no row") {
  ImportFixture f;
  if (!serverLoads(f)) return;
  struct Case {
    const char* columns;
    const char* text;
  };
  const auto wrong = GENERATE(
      Case{"(id int, v decimal(4,1))", "id,v\n1,1.5\n2,10000\n"},
      Case{"(id int, v decimal(4,1))", "id,v\n1,1.5\n2,1.25\n"},
      Case{"(id int, v datetime)", "id,v\n1,2020-01-01\n2,2020-13-01\n"},
      Case{"(id int, v enum('a'))", "id,v\n1,a\n2,b\n"},
      Case{"(id int, v varchar(9), check (id < 2))", "id,v\n1,a\n2,b\n"},
      Case{"(id int, v int) partition by range (id) (partition p values less than (2))", "id,v\n1,2\n2,7\n"},
      Case{"(id int, v date)", "id,v\n1,2020-01-01\n2,x\n"}
  );
  f.execute(std::string("create table t ") + wrong.columns);
  const std::string meta = f.meta(f.file("f.csv", wrong.text), "t");
  const auto metas = f.plan(1, meta, 1);
  const std::string expected = failureOf(f, meta, metas, nullptr);
  REQUIRE(expected.find("line ") != std::string::npos);
  LoadTrust trust;
  CHECK(failureOf(f, meta, metas, &trust) == expected);
  CHECK(f.scalar("select count(*) from t") == "0");
  CHECK(f.scalar("select count(*) from ledger where step = 1") == "0");
  CHECK(trust.isGiven());
  for (int i = 0; i != 2; ++i) CHECK(failureOf(f, meta, metas, &trust) == expected);
  CHECK_FALSE(trust.isGiven());
  f.execute("drop table t");
}

TEST_CASE("After a refused load good rows go in by inserts, without the bad ones") {
  ImportFixture f;
  f.execute("create table t (id int, v decimal(4,1))");
  const std::string meta =
      f.meta(f.file("f.csv", "id,v\n1,1.5\n2,2.25\n3,99999\n4,x\n5,5\n"), "t", R"("max_bad_records": 3)");
  LoadTrust trust;
  const ChunkResult result = importFile(f, meta, f.plan(1, meta, 1), &trust);
  CHECK_FALSE(result.loaded);
  CHECK(result.written == 2);
  CHECK(result.bad == 3);
  CHECK(f.scalar("select group_concat(id order by id) from t") == "1,5");
}

TEST_CASE("A chunk that is larger than a piece is loaded in several, in one transaction") {
  ImportFixture f;
  const bool loads = serverLoads(f);
  f.execute("create table t (id int, v varchar(2000))");
  std::string text = "id,v\n";
  for (int i = 1; i <= 6000; ++i)
    text += std::to_string(i) + "," + std::string(1500, static_cast<char>('a' + i % 26)) + "\n";
  const std::string path = f.file("f.csv", text);
  const std::string meta = f.meta(path, "t", R"("chunk_bytes": 100000000)");
  const auto metas = f.plan(1, meta, 1);
  REQUIRE(metas.size() == 1);
  LoadTrust trust;
  CHECK(importFile(f, meta, metas, &trust).loaded == loads);
  CHECK(f.scalar("select concat(count(*), ' ', sum(id), ' ', sum(length(v))) from t") == "6000 18003000 9000000");
  CHECK(importFile(f, meta, metas, &trust).done_before);
}

TEST_CASE("A cancel in the middle of a load ends it, and no row stays") {
  ImportFixture f;
  if (!serverLoads(f)) return;
  f.execute("create table t (id int, v varchar(2000))");
  std::string text = "id,v\n";
  for (int i = 1; i <= 1000; ++i) text += std::to_string(i) + "," + std::string(1500, 'x') + "\n";
  const std::string meta = f.meta(f.file("f.csv", text), "t");
  const auto metas = f.plan(1, meta, 1);
  bool begun = false;
  int checks = 0;
  Failpoints::arm("csv_import.chunk_taken", [&] { begun = true; });
  LoadTrust trust;
  const auto check = [&] {
    if (begun && ++checks == 5) throw Exception(ErrorCode::kCancelled, "enough");
  };
  CHECK_THROWS_WITH(importFile(f, meta, metas, &trust, check), Catch::Contains("enough"));
  Failpoints::disarm("csv_import.chunk_taken");
  CHECK(checks == 5);
  // Waits for the ledger's row, so for the end of the session that was left.
  CHECK(importFile(f, meta, metas, &trust).written == 1000);
  CHECK(f.scalar("select count(*) from t") == "1000");
}

TEST_CASE("Tables whose rows a load would not make as inserts do are left to inserts") {
  ImportFixture f;
  f.execute("create table other_charset (id int, v varchar(9) character set latin1)");
  f.execute("create table has_default (id int, v varchar(9), at datetime default current_timestamp)");
  f.execute("create table has_index (id int, v varchar(9), key (v))");
  f.execute("create table triggered (id int, v varchar(9))");
  f.execute("create table plain (id int, v varchar(9), w int as (id + 1))");
  const auto connection = connect(f);
  const auto takes = [&](const std::string& table) {
    return tableTakesLoads(describeTarget(*connection, f.store.schema(), table, {"id", "v"}));
  };
  CHECK(takes("plain"));
  CHECK_FALSE(takes("other_charset"));
  CHECK_FALSE(takes("has_index"));
  CHECK_FALSE(takes("has_default"));
  CHECK(takes("triggered"));
  if (connection->flavour() == sqlclient::Flavour::kTiDb) return;  // it has no triggers
  f.execute("create trigger tr before insert on triggered for each row set new.v = 'w'");
  CHECK_FALSE(takes("triggered"));
}

TEST_CASE("One session at a time has a table's gate, and a session that waits can be cancelled") {
  ImportFixture f;
  f.execute("create table t (id int)");
  const auto first = connect(f);
  const auto second = connect(f);
  const TargetTable target = describeTarget(*first, f.store.schema(), "t", {"id"});
  CHECK_FALSE(target.has_index);
  {
    const TableGate gate(*first, target, [] {});
    CHECK_THROWS_WITH(
        TableGate(*second, target, [] { throw Exception(ErrorCode::kCancelled, "enough"); }), Catch::Contains("enough")
    );
  }
  bool waited = false;
  const TableGate gate(*second, target, [&] { waited = true; });
  CHECK_FALSE(waited);
}
