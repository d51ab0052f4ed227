#include "batch_statement.hpp"
#include "disttask/base/error.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using namespace disttask::sql_batch;

namespace {

const TableName kTable{"s", "t"};

std::string refusal(const std::string& text) {
  try {
    static_cast<void>(parseStatement(text, kTable));
  } catch (const Exception& exception) {
    return exception.error().message();
  }
  return {};
}

}  // namespace

TEST_CASE("Statements are taken apart at their range") {
  const auto update = parseStatement(
      "UPDATE `s`.t SET A = 'x;{y}', b=(select max(z) from o) WHERE {range} and c = \"it's\" ;; ", kTable
  );
  CHECK(update.kind == StatementKind::kUpdate);
  CHECK(update.render("R") == "UPDATE `s`.t SET A = 'x;{y}', b=(select max(z) from o) WHERE (R) and c = \"it's\"");
  CHECK(update.assigned == std::vector<std::string>{"a", "b"});
  const auto remove =
      parseStatement("delete o from t o join u on u.id = o.id where (u.x or u.y) and {range:o} -- the end", kTable);
  CHECK(remove.kind == StatementKind::kDelete);
  CHECK(remove.alias == "o");
  CHECK_FALSE(remove.plain);
  CHECK(parseStatement("delete from t where {range}", kTable).plain);
  const auto insert = parseStatement(
      "insert ignore into u (a) select a from t where {range} on duplicate key update a = a or 1", kTable
  );
  CHECK(insert.target == TableName{"s", "u"});
}

TEST_CASE("Only the table whose key is walked may change") {
  CHECK_THAT(
      refusal("delete u from t join u on u.id = t.id where {range:t}"),
      Catch::Contains("deletes from s.u, expected 't', the table whose key is walked")
  );
  CHECK_THAT(
      refusal("delete t from t as o join u on u.id = o.id where {range:o}"), Catch::Contains("s.t, expected 'o'")
  );
  CHECK(refusal("delete t from t join u on u.id = t.id where {range:t}").empty());
  CHECK_THAT(
      refusal("update t a join u b on b.id = a.id set a.x = 1, b.y = 2 where {range:a}"),
      Catch::Contains("sets 'b.y', expected columns of 'a' only, the table whose key is walked")
  );
  CHECK(refusal("update t a join u b on b.id = a.id set a.x = b.y, z = f(b.x, 1) where {range:a}").empty());
  CHECK(refusal("update t force index (primary) set t.x = 1 where {range}").empty());
}

TEST_CASE("The select of an archive has the delete's own condition") {
  const auto remove = parseStatement("delete from t where a = 'x' and {range} and b", kTable);
  CHECK(remove.renderSelect("*", kTable, "R") == "select * from `s`.`t` where a = 'x' and (R) and b for update");
}

TEST_CASE("Statements that are not one bounded UPDATE, DELETE or INSERT … SELECT are refused") {
  CHECK_THAT(
      refusal("update t set a = 1 where {range}; drop table t"),
      Catch::StartsWith("statement: holds more than one statement")
  );
  CHECK_THAT(refusal("select 1 from t where {range}"), Catch::StartsWith("statement: begins with 'select'"));
  CHECK_THAT(refusal("update t set a = 1"), Catch::StartsWith("statement: has no {range}"));
  CHECK_THAT(refusal("update t set a = '{range}' where 1"), Catch::StartsWith("statement: has no {range}"));
  CHECK_THAT(refusal("update t set a = 1 where /* {range} */ 1"), Catch::StartsWith("statement: has no {range}"));
  CHECK_THAT(refusal("update t set a = 1 where {range} and {range}"), Catch::Contains("stands twice"));
  CHECK_THAT(refusal("update t set a = 1 where ({range} or b)"), Catch::Contains("within parentheses"));
  CHECK_THAT(refusal("update t set a = 1 where {range} or b"), Catch::Contains("must be followed by AND"));
  CHECK_THAT(refusal("update t set a = 1 where b or c and {range}"), Catch::Contains("an OR beside {range}"));
  CHECK_THAT(refusal("update t set a = 1 where b || c and {range}"), Catch::Contains("an OR beside {range}"));
  CHECK_THAT(refusal("update t set a = 1 where not {range}"), Catch::Contains("must follow WHERE or AND, found 'not'"));
  CHECK_THAT(refusal("update t set a = 1 where {range} is null"), Catch::Contains("must be followed by AND"));
  CHECK_THAT(refusal("delete from t where {range} and a limit 5"), Catch::Contains("LIMIT at byte 34 is refused"));
  CHECK_THAT(
      refusal("insert into u select a, count(*) from t where {range} and b group by a"),
      Catch::Contains("GROUP at byte")
  );
  CHECK_THAT(
      refusal("update other set a = 1 where {range}"), Catch::Contains("UPDATE names s.other, expected s.t (table)")
  );
  CHECK_THAT(refusal("update t, u set a = 1 where {range}"), Catch::Contains("updates a list of tables"));
  CHECK_THAT(refusal("delete t, u from t join u where {range}"), Catch::Contains("deletes from several tables"));
  CHECK_THAT(
      refusal("insert into t select * from t where {range}"), Catch::Contains("inserts into the table that it reads")
  );
  CHECK_THAT(refusal("insert into u values (1)"), Catch::Contains("an INSERT needs a SELECT"));
  CHECK_THAT(refusal("update t set a = 'x where {range}"), Catch::Contains("a string at byte 17 never ends"));
  CHECK_THAT(
      refusal("update t set a = 1 where {rnge}"), Catch::Contains("expected {range} or {range:alias} at byte 25")
  );
  CHECK_THAT(
      refusal("update t set a = 1 /*! , b = 2 */ where {range}"), Catch::Contains("a comment that the server executes")
  );
  CHECK_THAT(refusal("update t set a = 1 where b between 1 and {range}"), Catch::Contains("that of a BETWEEN"));
  CHECK(refusal("update t set a = 1 where b between 1 and 2 and {range}").empty());
  CHECK_THAT(
      refusal("update t set a = 1 where case when b and {range} and c then 1 else 0 end"),
      Catch::Contains("a CASE beside {range} at byte 25")
  );
  CHECK(refusal("update t set a = case when b then 1 end where (case when b then 1 end) and {range}").empty());
  CHECK_THAT(refusal("insert into u select distinct a from t where {range}"), Catch::Contains("DISTINCT at byte 21"));
  CHECK_THAT(refusal("insert into u select 1 + (sum(a)) from t where {range}"), Catch::Contains("SUM at byte 26"));
  CHECK_THAT(
      refusal("insert into u select row_number() over (order by a) from t where {range}"),
      Catch::Contains("OVER at byte")
  );
  CHECK(refusal("insert into u select (select max(b) from v where v.a = t.a), `count` from t where {range}").empty());
  CHECK_THAT(refusal("update t set a = (1 where {range}"), Catch::Contains("a parenthesis is never closed"));
}
