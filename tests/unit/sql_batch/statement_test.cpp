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
  CHECK(update.assigned == std::vector<std::string>{"A", "b"});
  CHECK(update.called == "t");
  CHECK_FALSE(update.joined);
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
  CHECK(insert.assigned == std::vector<std::string>{"a"});
  for (const char* modifier : {"high_priority", "delayed", "low_priority ignore"}) {
    INFO(modifier);
    const auto with_modifier =
        parseStatement("insert " + std::string(modifier) + " into u select a from t where {range}", kTable);
    CHECK(with_modifier.target == TableName{"s", "u"});
  }
}

TEST_CASE("A range bounds the walked table, by the name that the statement gives it") {
  CHECK(
      refusal("update t join u on u.grp = t.grp set t.n = t.n + 1 where {range:u}") ==
      "statement: {range:u} would bound 'u', expected {range:t}: the statement calls so the table whose key is walked"
  );
  CHECK_THAT(
      refusal("update t partition (p0, p1) a join u t on a.g = t.g set a.n = 1 where {range:t}"),
      Catch::Contains("{range:t} would bound 't', expected {range:a}")
  );
  CHECK_THAT(
      refusal("insert into v select u.a from t as o join u on u.g = o.g where {range:u}"),
      Catch::Contains("{range:u} would bound 'u', expected {range:o}")
  );
  CHECK_THAT(
      refusal("delete o from t o join u on u.g = o.g where {range:u}"), Catch::Contains("'u', expected {range:o}")
  );
  CHECK(refusal("delete from t where {range:o}").find("expected {range:t}") != std::string::npos);
  CHECK(refusal("update t partition (p0) a set n = 1 where {range:a}").empty());
  CHECK(refusal("insert into v select u.a from t `o` join u on u.g = o.g where {range:o}").empty());
}

TEST_CASE("Whatever case a server may ignore makes one table of two") {
  CHECK(mayBeSame({"s", "t"}, {"S", "T"}));
  CHECK(mayBeSame({"s", "größe"}, {"s", "GRÖßE"}));
  CHECK_FALSE(mayBeSame({"s", "t"}, {"s", "u"}));
  CHECK_FALSE(mayBeSame({"s", "t"}, {"s2", "t"}));
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
  CHECK(refusal("delete t from t join u using (id) where {range:t}").empty());
  CHECK_THAT(refusal("delete from t using t join u where {range:t}"), Catch::Contains("DELETE … USING is refused"));
  CHECK_THAT(refusal("delete from t, u using t join u where {range:t}"), Catch::Contains("DELETE … USING is refused"));
  CHECK_THAT(
      refusal("update t a join u b on b.id = a.id set a.x = 1, b.y = 2 where {range:a}"),
      Catch::Contains("sets 'b.y', expected columns of 'a' only, the table whose key is walked")
  );
  CHECK(refusal("update t a join u b on b.id = a.id set a.x = b.y, z = f(b.x, 1) where {range:a}").empty());
  CHECK(parseStatement("update t a join u b on b.id = a.id set a.x = b.y where {range:a}", kTable).joined);
  CHECK_THAT(
      refusal("update t join o.t on o.t.id = s.t.id set o.t.n = 1 where {range:t}"), Catch::Contains("sets 'o.t.n'")
  );
  CHECK(refusal("update t join u on u.id = t.id set s.t.n = 1 where {range:t}").empty());
  CHECK_THAT(
      refusal("update t right join u using (n) set n = 1 where {range:t}"),
      Catch::Contains("sets 'n', which a NATURAL JOIN or USING may share with another table; expected 't.n'")
  );
  CHECK_THAT(refusal("update t set a 1 where {range}"), Catch::Contains("written COLUMN = …, found '1'"));
  CHECK_THAT(
      refusal("update u join t on u.id = t.id set t.n = 1 where {range:t}"), Catch::Contains("UPDATE names s.u")
  );
  CHECK_THAT(
      refusal("update t for portion of p from 1 to 2 set n = 1 where {range}"),
      Catch::Contains("FOR at byte 9 is refused")
  );
  CHECK_THAT(refusal("delete from t for portion of p from 1 to 2 where {range}"), Catch::Contains("FOR at byte 14"));
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
  CHECK_THAT(refusal("replace into u select * from t where {range}"), Catch::Contains("begins with 'replace'"));
  CHECK_THAT(refusal("with v as (select 1) delete from t where {range}"), Catch::Contains("begins with 'with'"));
  CHECK_THAT(
      refusal("insert into u with v as (select 1), T (a) as (select * from s.x) select * from t where {range}"),
      Catch::Contains("WITH at byte 36 calls 'T' what may hide the table s.t; expected another name")
  );
  CHECK(refusal("insert into u with v as (select a from t) select t.a from t join v where {range:t}").empty());
  CHECK_THAT(refusal("insert into u values (1)"), Catch::Contains("an INSERT needs a SELECT"));
  CHECK_THAT(refusal("update t set a = 'x where {range}"), Catch::Contains("a string at byte 17 never ends"));
  CHECK_THAT(
      refusal("update t set a = 1 where {rnge}"), Catch::Contains("expected {range} or {range:alias} at byte 25")
  );
  CHECK_THAT(
      refusal("update t set a = 1 /*! , b = 2 */ where {range}"),
      Catch::Contains("a comment that the server executes ('/*!') at byte 19")
  );
  for (const std::string mark : {"/*M!", "/*T!"}) {
    CHECK_THAT(refusal("delete from t where {range} " + mark + " limit 5 */"), Catch::Contains("executes ('" + mark));
  }
  CHECK_THAT(refusal("delete from t where {range} /*T![x] limit 5 */"), Catch::Contains("executes ('/*T!')"));
  CHECK(refusal("delete from t /* T! or */ where {range}").empty());
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
  CHECK_THAT(
      refusal("insert into u select coalesce(lag(a) over (order by id), 0) from t where {range}"),
      Catch::Contains("OVER at byte 37")
  );
  for (const char* call :
       {"bit_xor", "bit_and", "bit_or", "var_pop", "approx_count_distinct", "median", "st_collect"}) {
    INFO(call);
    CHECK_THAT(
        refusal("insert into u select 1 + " + std::string(call) + "(a) from t where {range}"),
        Catch::Contains(" at byte 25 is refused")
    );
  }
  CHECK_THAT(refusal("insert into u select (select sum(t.a)) from t where {range}"), Catch::Contains("SUM at byte"));
  CHECK(refusal("insert into u select (select max(c) over (partition by d) from v where v.a = t.a) from t where {range}"
  )
            .empty());
  CHECK_THAT(
      refusal("insert into u select a from t where {range} and b fetch first 5 rows only"), Catch::Contains("FETCH")
  );
  CHECK_THAT(refusal("insert into u select a from t where {range} and b offset 5 rows"), Catch::Contains("OFFSET"));
  CHECK(refusal("update t set offset = 1 where {range} and t.fetch > offset").empty());
  CHECK_THAT(refusal("update t set n = (@i := @i + 1) where {range}"), Catch::Contains("a variable (':=') at byte 21"));
  CHECK_THAT(refusal("update t set n = rownum() where {range}"), Catch::Contains("ROWNUM at byte 17"));
  CHECK(refusal("insert into u select (select max(b) from v where v.a = t.a), `count` from t where {range}").empty());
  CHECK_THAT(refusal("update t set a = (1 where {range}"), Catch::Contains("a parenthesis is never closed"));
}
