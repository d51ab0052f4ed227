// What we compute from the file is what the server computes from the table.
#include "import_fixture.hpp"
#include "verification.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using test::ImportFixture;

TEST_CASE("The checksum of a table of many types equals the file's") {
  ImportFixture f;
  f.execute(
      "create table t (i1 tinyint, u1 tinyint unsigned, i4 int, z4 int(8) unsigned zerofill, i8 bigint, u8 bigint "
      "unsigned, "
      "c char(6), v varchar(20), l varchar(20) character set latin1, x text, b binary(4), vb varbinary(10), bb blob, "
      "d decimal(8,2), t datetime, e enum('a','b')) default charset utf8mb4"
  );
  std::string text = "i1,u1,i4,z4,i8,u8,c,v,l,x,b,vb,bb,d,t,e\n";
  text += "-128,255,-5,42,-9223372036854775808,18446744073709551615,ab,v,l,x,ab,vb,bb,1.50,2024-02-29 10:00:00,a\n";
  text += ",,,,,,,,,,,,,,,\n";
  text += "0,0,0,0,0,0,\"\",\"\",\"\",\"\",\"\",\"\",\"\",0,2000-01-01,b\n";
  text += "007,+7,-0,0007, 7,7 ,\"c  \",\" v \",caf\xc3\xa9,\"a\nb\",\"a\",\" b \",\"\xf0\x9f\x98\x80\",-2.25,,a\n";
  text +=
      "1,1,1,1,1,1,\xe6\xbc\xa2\xe5\xad\x97,\xf0\x9f\x98\x80,\xc3\xbc,\"say "
      "\"\"x\"\"\",\x01\x02\x03\x04,\xff\xfe,\x80\x81,3,1999-12-31,b\n";
  const Json result = f.importAndVerify(1, f.meta(f.file("f.csv", text), "t"));
  CHECK(*result.find("verified_rows") == Json(5));
  CHECK(*result.find("columns_left_out") == Json(Json::Array{Json("d"), Json("t"), Json("e")}));
  CHECK(f.scalar("select group_concat(u8) from t") == "18446744073709551615,0,7,1");
  CHECK(f.scalar("select count(*) from t where v is null and x is null and vb is null") == "1");
  CHECK(f.scalar("select count(*) from t where v = '' and x = '' and vb = ''") == "1");
  CHECK(f.scalar("select hex(vb) from t where i1 = 1") == "FFFE");
}

TEST_CASE("A row changed, lost or doubled after the import fails the verification with both figures") {
  ImportFixture f;
  f.execute("create table t (id int primary key, name varchar(20))");
  const std::string meta = f.meta(f.file("f.csv", "id,name\n1,a\n2,b\n3,c\n"), "t");
  const auto results = f.import(1, meta);
  const std::string change = GENERATE(
      "update t set name = 'x' where id = 2",
      "update t set name = null where id = 2",
      "update t set name = 'b ' where id = 2",
      "delete from t where id = 3",
      "insert into t values (4, 'a')",
      "update t set name = if(id = 1, 'b', 'a') where id in (1, 2)"
  );
  CAPTURE(change);
  f.execute(change);
  const auto metas = f.plan(1, meta, 2, results);
  const auto step = f.step(1, meta, 2);
  CHECK_THROWS_WITH(
      f.run(*step, 2, 1, metas[0]),
      Catch::StartsWith("verification failed: the table has ") && Catch::Contains(" rows with checksum ") &&
          Catch::Contains(", imported were 3 with checksum ")
  );
}

TEST_CASE("Parts by key ranges add up to the whole table, whatever the order in which they end") {
  ImportFixture f;
  const std::string type = GENERATE("int", "bigint unsigned", "bigint");
  f.execute("create table t (id " + type + " primary key, name varchar(20))");
  std::string text = "id,name\n";
  for (int i = 0; i != 500; ++i) text += std::to_string(i * i) + ",n" + std::to_string(i) + "\n";
  if (type == "bigint") text += "-9223372036854775808,least\n";
  if (type == "bigint unsigned") text += "18446744073709551615,most\n";
  const std::string meta = f.meta(f.file("f.csv", text), "t");
  const auto results = f.import(1, meta);
  const auto whole = csv_import::VerifyMeta::parse(f.plan(1, meta, 2, results).at(0));
  const auto bounds = csv_import::splitRange(f.scalar("select min(id) from t"), f.scalar("select max(id) from t"), 4);
  const auto step = f.step(1, meta, 2);
  std::vector<std::string> parts;
  for (std::size_t i = 0; i <= bounds.size(); ++i) {
    csv_import::VerifyMeta part = whole;
    part.key = "id";
    part.part = int(i + 1);
    part.parts = int(bounds.size() + 1);
    if (i > 0) part.from = bounds[i - 1];
    if (i < bounds.size()) part.to = bounds[i];
    parts.push_back(part.dump());
  }
  for (std::size_t i = parts.size(); i-- > 1;) {
    CHECK(Json::parse(f.run(*step, 2, int(i + 1), parts[i])).find("verified_rows") == nullptr);
  }
  const Json last = Json::parse(f.run(*step, 2, 1, parts[0]));
  CHECK(*last.find("verified_rows") == Json(type == "int" ? 500 : 501));
  // One that runs again sees all parts, and agrees.
  CHECK(*Json::parse(f.run(*step, 2, 2, parts[1])).find("verified_rows") == *last.find("verified_rows"));
}

TEST_CASE("Two halves add up to the whole table, with every text and NULL in one of them") {
  ImportFixture f;
  f.execute("create table t (name varchar(20), n int, d date)");
  std::string text = "name,n,d\n";
  for (int i = 0; i != 200; ++i)
    text += (i % 7 == 0 ? "" : "nÃ¤me" + std::to_string(i)) + "," + std::to_string(i) + ",\n";
  const std::string meta = f.meta(f.file("f.csv", text), "t");
  const auto results = f.import(1, meta);
  auto part = csv_import::VerifyMeta::parse(f.plan(1, meta, 2, results).at(0));
  const auto step = f.step(1, meta, 2);
  part.parts = 2;
  part.half = 0;
  const Json first = Json::parse(f.run(*step, 2, 1, part.dump()));
  CHECK(first.find("verified_rows") == nullptr);
  CHECK(first.find("rows")->asInt() > 50);
  CHECK(first.find("rows")->asInt() < 150);
  part.part = 2;
  part.half = 1;
  CHECK(*Json::parse(f.run(*step, 2, 2, part.dump())).find("verified_rows") == Json(200));
}

TEST_CASE("A large import is planned for verification in several key ranges, one without an integer key in halves") {
  ImportFixture f;
  f.execute("create table t (id int primary key)");
  f.execute("create table s (id varchar(20) primary key)");
  f.execute("insert into t values (1), (1000000)");
  const auto connection = f.store.connect();
  const csv_import::ImportTotals totals{1, 1'000'000, 1, 1};
  const auto ranges = csv_import::planVerification(
      *connection, {}, csv_import::describeTarget(*connection, f.store.schema(), "t", {"id"}), totals, 64
  );
  REQUIRE(ranges.size() == 4);
  CHECK_FALSE(ranges.front().from.has_value());
  CHECK(ranges.front().to == "250001");
  CHECK(ranges.back().from == "750001");
  CHECK_FALSE(ranges.back().to.has_value());
  csv_import::ImportTotals text_totals = totals;
  const auto plan = [&] {
    return csv_import::planVerification(
        *connection, {}, csv_import::describeTarget(*connection, f.store.schema(), "s", {"id"}), text_totals, 64
    );
  };
  REQUIRE(plan().size() == 2);
  CHECK(plan()[0].half == 0);
  CHECK(plan()[1].half == 1);
  CHECK(plan()[1].parts == 2);
  text_totals.bytes = std::uint64_t{1} << 40;
  REQUIRE(plan().size() == 1);
  CHECK_FALSE(plan()[0].half.has_value());
}
