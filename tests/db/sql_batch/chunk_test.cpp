// Where a chunk ends, and what finding that out reads.
#include "batch_fixture.hpp"
#include "chunk_runner.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace disttask::sql_batch;
using test::BatchFixture;

namespace {

/// One subtask of 400 planned rows over rows 3, 6 … 1200 of table t.
struct Chunks : BatchFixture {
  Chunks() {
    makeNumbers(400);
    ledger.begin(*connection, 1, 1);
  }
  SegmentProgress chunk(const SegmentProgress& from, std::int64_t rows) {
    const ChunkJob job{key, statement, ledger, 1, 1, segment, nullptr};
    const auto to = runChunk(*connection, job, from, rows, [] {});
    REQUIRE(to);
    return *to;
  }
  /// Rows of the index that this session has read so far.
  [[nodiscard]] std::int64_t rowsRead() const {
    auto rows = connection->queryDynamic("rows_read", "show session status like 'Handler_read_next'", {});
    return rows.next() ? std::stoll(rows.getString(2)) : -1;
  }

  std::unique_ptr<sqlclient::Connection> connection = store.connect();
  TableName table{store.schema(), "t"};
  BatchStatement statement = parseStatement("update t set n = n + 1 where {range}", table);
  BatchLedger ledger{store.schema() + ".ledger", "store", "main"};
  SegmentMeta segment{{"main", store.schema()}, {{}, {"1200"}}, 400};
  TableKey key{table, "PRIMARY", {{"id", KeyKind::kNumber, "", ""}}};
};

}  // namespace

TEST_CASE("A chunk reads its rows to find its end and to change them, and no third time where the plan still holds") {
  Chunks f;
  const auto before = f.store.isTiDb() ? 0 : f.rowsRead();
  auto at = f.chunk({}, 300);
  CHECK_FALSE(at.done);
  at = f.chunk(at, 300);
  CHECK(at.done);
  CHECK(at.walked == 400);
  CHECK(at.chunks == 2);
  if (!f.store.isTiDb()) CHECK(f.rowsRead() - before <= 2 * 400);
  CHECK(f.scalar("select concat(sum(n), ' ', max(n)) from t") == "400 1");
}

TEST_CASE("Rows that came or went since the plan are counted as they are, and a chunk has no more than it may") {
  Chunks f;
  SECTION("more") {
    std::string text;
    for (int i = 601; i < 1200; i += 3) text += (text.empty() ? "(" : ",(") + std::to_string(i) + ",0,'new')";
    f.execute("insert into t values " + text);
    SegmentProgress at;
    std::int64_t most = 0;
    while (!at.done) {
      const auto before = at.walked;
      at = f.chunk(at, 150);
      most = std::max(most, at.walked - before);
    }
    CHECK(most == 150);
    CHECK(at.walked == 600);
    CHECK(f.scalar("select concat(sum(n), ' ', max(n)) from t") == "600 1");
  }
  SECTION("fewer, and not the last one") {
    f.execute("delete from t where id > 900");
    const auto at = f.chunk(f.chunk({}, 150), 400);
    CHECK(at.done);
    CHECK(at.walked == 300);
    CHECK(at.position == KeyValues{"1200"});
    CHECK(f.scalar("select concat(sum(n), ' ', max(n)) from t") == "300 1");
  }
}
