#include "chunk_meta.hpp"

#include "file_planner.hpp"
#include "ledger.hpp"
#include "verification.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::csv_import;

TEST_CASE("Metas, results, cursors and notes come back as they were written") {
  ChunkMeta chunk;
  chunk.start = {1234567890123, 17};
  chunk.bytes = 4194310;
  chunk.records = 40000;
  chunk.hash = 0xfedcba9876543210U;
  chunk.file = {5000000000, 1700000000123456789};
  chunk.columns = {"a", "b \"c\""};
  CHECK(ChunkMeta::parse(chunk.dump()).dump() == chunk.dump());
  CHECK(ChunkMeta::parse(chunk.dump()).hash == chunk.hash);
  CHECK(ChunkMeta::parse(chunk.dump()).file == chunk.file);

  ChunkResult result;
  result.records = 10;
  result.written = 9;
  result.bad = 1;
  result.bytes = 100;
  result.hash = 1;
  result.row_sum = "340282366920938463463374607431768211455";
  result.rejects = "/r/x";
  CHECK(ChunkResult::parse(result.dump()).dump() == result.dump());

  PlanCursor cursor{{5, 2}, {9, 8}, {"x"}, {3, 30, 300, 0}};
  CHECK(PlanCursor::parse(cursor.dump()).dump() == cursor.dump());
  CHECK(PlanCursor::parse(cursor.dump()).done == cursor.done);

  VerifyMeta verify;
  verify.part = 2;
  verify.parts = 3;
  verify.key = "id";
  verify.from = "-5";
  verify.to = "18446744073709551615";
  verify.totals = {1, 2, 3, UINT64_MAX};
  verify.columns = {"id"};
  CHECK(VerifyMeta::parse(verify.dump()).dump() == verify.dump());
  CHECK(VerifyMeta::parse(verify.dump()).totals == verify.totals);

  TaskNote note{7, "identity", {1, 2}, {"a"}, ImportTotals{1, 2, 3, 0}};
  CHECK(TaskNote::parse(note.dump()).dump() == note.dump());
  note.totals.reset();
  CHECK_FALSE(TaskNote::parse(note.dump()).totals.has_value());
}

TEST_CASE("A meta that this program did not write is refused with what is missing") {
  CHECK_THROWS_WITH(ChunkMeta::parse("{}"), "chunk meta: 'offset' is missing");
  CHECK_THROWS_WITH(
      VerifyMeta::parse(R"({"part": 1, "parts": 1, "key": "id", "from": "1 or 1=1"})"),
      "verify meta: '1 or 1=1' is not a number"
  );
}

TEST_CASE("Key ranges cover everything, for signed and unsigned 64-bit keys") {
  CHECK(splitRange("1", "100", 4) == std::vector<std::string>{"26", "51", "76"});
  CHECK(splitRange("-9223372036854775808", "9223372036854775807", 2) == std::vector<std::string>{"0"});
  CHECK(splitRange("0", "18446744073709551615", 2) == std::vector<std::string>{"9223372036854775808"});
  CHECK(splitRange("5", "5", 4).empty());
  CHECK(splitRange("5", "6", 4) == std::vector<std::string>{"6"});
}
