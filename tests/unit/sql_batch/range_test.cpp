#include "key_range.hpp"

#include <catch2/catch.hpp>

using namespace disttask::sql_batch;

namespace {

TableKey key(std::size_t columns) {
  TableKey result{{"s", "t"}, "PRIMARY", {}};
  for (std::size_t i = 0; i != columns; ++i)
    result.columns.push_back({std::string(1, static_cast<char>('a' + i)), KeyKind::kNumber, "", ""});
  return result;
}

}  // namespace

TEST_CASE("A range of one column has two bounds, the first one of a table has one") {
  CHECK(rangeCondition(key(1), {{"3"}, {"9"}}, "") == "`a` > 3 and `a` <= 9");
  CHECK(rangeCondition(key(1), {{}, {"9"}}, "x") == "`x`.`a` <= 9");
}

TEST_CASE("Equal leading columns are equalities, the others chains") {
  CHECK(rangeCondition(key(2), {{"3", "4"}, {"3", "9"}}, "") == "`a` = 3 and `b` > 4 and `b` <= 9");
  CHECK(
      rangeCondition(key(2), {{"3", "4"}, {"5", "9"}}, "") ==
      "`a` >= 3 and (`a` > 3 or (`a` = 3 and `b` > 4)) and `a` <= 5 and (`a` < 5 or (`a` = 5 and `b` <= 9))"
  );
}

TEST_CASE("Literals are of the column's own type, and never anything else") {
  const KeyColumn text{"k", KeyKind::kText, "latin1", "latin1_swedish_ci"};
  CHECK(literal(text, "C4") == "_latin1 x'C4' collate latin1_swedish_ci");
  CHECK(literal({"k", KeyKind::kBinary, "", ""}, "00FF") == "x'00FF'");
  CHECK(literal({"k", KeyKind::kTime, "", ""}, "2026-01-01 00:00:00") == "'2026-01-01 00:00:00'");
  CHECK_THROWS(literal({"k", KeyKind::kNumber, "", ""}, "1 or 1"));
  CHECK_THROWS(literal({"k", KeyKind::kNumber, "", ""}, ""));
  CHECK_THROWS(literal(text, "C4' or '1"));
}
