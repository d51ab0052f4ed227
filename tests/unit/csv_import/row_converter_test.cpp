#include "row_converter.hpp"

#include "disttask/sqlclient/sql_error.hpp"
#include "row_writer.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

using namespace disttask;
using namespace disttask::csv_import;
using sqlclient::Value;

namespace {

Column column(
    const std::string& data_type,
    const std::string& column_type,
    std::int64_t length = 0,
    const std::string& charset = "utf8mb4"
) {
  ColumnFacts facts;
  facts.name = "c";
  facts.data_type = data_type;
  facts.column_type = column_type;
  facts.charset = charset;
  facts.max_characters = length;
  facts.max_bytes = length;
  return makeColumn(facts);
}

struct Converted {
  std::optional<std::string> problem;
  Value value;
  std::uint64_t hash = 0;
};

Converted convert(
    const std::string& text, const Column& target, bool quoted = false, const ImportOptions& options = {}
) {
  const std::vector<Column> columns = {target};
  RowConverter converter(options, columns);
  Record record;
  record.fields.push_back({text, quoted});
  Converted result;
  result.problem = converter.convert(record, &result.value, result.hash);
  return result;
}

std::string asText(const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr ? std::to_string(*number) : std::get<std::string>(value);
}

std::uint64_t hashOf(std::optional<std::string_view> text) {
  RowHasher hasher;
  return hasher.hash(std::vector<std::optional<std::string_view>>{text});
}

}  // namespace

TEST_CASE("Integers are bound as numbers and hashed in their shortest form") {
  const Column target = column("int", "int(11)");
  for (const std::string text : {"7", "+7", "007", " 7", "7 "}) {
    const Converted result = convert(text, target);
    CAPTURE(text);
    REQUIRE_FALSE(result.problem);
    CHECK(std::get<std::int64_t>(result.value) == 7);
    CHECK(result.hash == hashOf("7"));
  }
  CHECK(convert("-0", target).hash == hashOf("0"));
  CHECK(std::get<std::int64_t>(convert("-12", target).value) == -12);
}

TEST_CASE("Integers out of the column's range are refused at both ends") {
  struct Case {
    const char* type;
    const char* full;
    const char* least;
    const char* most;
    const char* below;
    const char* above;
  };
  const auto c = GENERATE(
      Case{"tinyint", "tinyint(4)", "-128", "127", "-129", "128"},
      Case{"tinyint", "tinyint(3) unsigned", "0", "255", "-1", "256"},
      Case{"smallint", "smallint(6)", "-32768", "32767", "-32769", "32768"},
      Case{"mediumint", "mediumint(8) unsigned", "0", "16777215", "-1", "16777216"},
      Case{"int", "int(10) unsigned zerofill", "0", "4294967295", "-1", "4294967296"},
      Case{
          "bigint",
          "bigint(20)",
          "-9223372036854775808",
          "9223372036854775807",
          "-9223372036854775809",
          "9223372036854775808"},
      Case{"bigint", "bigint(20) unsigned", "0", "18446744073709551615", "-1", "18446744073709551616"}
  );
  const Column target = column(c.type, c.full);
  CAPTURE(c.full);
  CHECK_FALSE(convert(c.least, target).problem);
  CHECK_FALSE(convert(c.most, target).problem);
  CHECK(convert(c.most, target).hash == hashOf(c.most));
  CHECK(asText(convert(c.most, target).value) == c.most);
  CHECK(asText(convert(c.least, target).value) == c.least);
  CHECK(
      convert(c.below, target).problem ==
      "value '" + std::string(c.below) + "' is out of range for column 'c' (" + c.full + ")"
  );
  CHECK(
      convert(c.above, target).problem ==
      "value '" + std::string(c.above) + "' is out of range for column 'c' (" + c.full + ")"
  );
}

TEST_CASE("What is no integer is refused, an empty string too") {
  const Column target = column("int", "int(11)");
  CHECK(convert("1.0", target).problem == "value '1.0' is not an integer for column 'c' (int(11))");
  CHECK(convert("1e3", target).problem);
  CHECK(convert("x", target).problem);
  CHECK(convert("-", target).problem);
  CHECK(convert("- 1", target).problem);
  CHECK(convert("", target, true).problem == "value '' is not an integer for column 'c' (int(11))");
}

TEST_CASE("Texts too long for the column are refused, blanks at the end too") {
  const Column target = column("varchar", "varchar(3)", 3);
  CHECK_FALSE(convert("abc", target).problem);
  CHECK_FALSE(convert("\xc3\xa9\xc3\xa9\xc3\xa9", target).problem);
  CHECK(convert("abc ", target).problem == "value 'abc ' of 4 characters is too long for column 'c' (varchar(3))");
  CHECK(convert("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", target).problem);
  const Column bytes = column("text", "text", 5);
  CHECK(
      convert("\xc3\xa9\xc3\xa9\xc3\xa9", bytes).problem ==
      "value '\xc3\xa9\xc3\xa9\xc3\xa9' of 6 bytes is too long for column 'c' (text)"
  );
}

TEST_CASE("Bad UTF-8 is refused in text, and in other columns unless the file is binary") {
  ImportOptions binary;
  binary.charset = Charset::kBinary;
  const std::string bad = "a\xff";
  CHECK(
      convert(bad, column("varchar", "varchar(9)", 9)).problem ==
      "bad UTF-8 at byte 2 of the field for column 'c' (varchar(9))"
  );
  CHECK(convert(bad, column("varchar", "varchar(9)", 9), false, binary).problem);
  CHECK(convert(bad, column("date", "date")).problem);
  CHECK_FALSE(convert(bad, column("date", "date"), false, binary).problem);
  CHECK_FALSE(convert(bad, column("blob", "blob", 65535)).problem);
}

TEST_CASE("The canonical form is what the server gives back: char without its padding, binary with it") {
  CHECK(convert("ab ", column("char", "char(5)", 5)).hash == hashOf("ab"));
  CHECK(convert("ab ", column("varchar", "varchar(5)", 5)).hash == hashOf("ab "));
  CHECK(convert("ab", column("binary", "binary(4)", 4)).hash == hashOf(std::string_view("ab\0\0", 4)));
  CHECK(convert("ab", column("varbinary", "varbinary(4)", 4)).hash == hashOf("ab"));
  CHECK(convert("2.50", column("decimal", "decimal(5,2)")).hash == 0);
}

TEST_CASE("An unquoted field with the null text is NULL, a quoted one is text") {
  ImportOptions options;
  const Column text = column("varchar", "varchar(9)", 9);
  CHECK(std::holds_alternative<std::nullptr_t>(convert("", text).value));
  CHECK(convert("", text).hash == hashOf(std::nullopt));
  CHECK(std::get<std::string>(convert("", text, true).value).empty());
  options.null_text = "\\N";
  CHECK(std::holds_alternative<std::nullptr_t>(convert("\\N", text, false, options).value));
  CHECK(std::get<std::string>(convert("\\N", text, true, options).value) == "\\N");
  CHECK(std::get<std::string>(convert("", text, false, options).value).empty());
  options.null_text.reset();
  CHECK(std::get<std::string>(convert("", text, false, options).value).empty());
}

TEST_CASE("NULL is refused where the column takes none, or would make up a number") {
  ColumnFacts facts;
  facts.name = "id";
  facts.data_type = "int";
  facts.column_type = "int(11)";
  facts.nullable = false;
  CHECK(convert("", makeColumn(facts)).problem == "NULL for column 'id' (int(11)), which is not null");
  facts.nullable = true;
  facts.extra = "auto_increment";
  CHECK(
      convert("", makeColumn(facts)).problem ==
      "NULL for column 'id' (int(11)), where the server would make up a number"
  );
}

TEST_CASE("Digits of a second that the column does not keep are refused, unless they are zeros") {
  const auto problem = [](const std::string& type, std::int64_t digits, const std::string& text) {
    ColumnFacts facts;
    facts.name = "c";
    facts.data_type = type;
    facts.column_type = type + "(" + std::to_string(digits) + ")";
    facts.time_digits = digits;
    return convert(text, makeColumn(facts)).problem;
  };
  CHECK(
      problem("datetime", 0, "2020-01-01 10:00:00.5") ==
      "value '2020-01-01 10:00:00.5' has more digits of a second than are kept for column 'c' (datetime(0))"
  );
  CHECK(problem("timestamp", 3, "2020-01-01T10:00:00.0004 "));
  CHECK(problem("timestamp", 3, "2020-01-01 10:00:00.0004+02:00"));
  CHECK(problem("datetime", 6, "2020-01-01 10:00:00.1234567"));
  CHECK(problem("datetime", 1, "20200101100000.25"));
  CHECK(problem("time", 0, "10:00:00.5"));
  CHECK(problem("time", 1, "5.25"));
  CHECK_FALSE(problem("datetime", 0, "2020-01-01 10:00:00"));
  CHECK_FALSE(problem("datetime", 0, "2020-01-01 10:00:00.000"));
  CHECK_FALSE(problem("timestamp", 3, "2020-01-01 10:00:00.123000+02:30"));
  CHECK_FALSE(problem("time", 2, "-838:59:59.25"));
  // Full stops between the parts are no fraction.
  CHECK_FALSE(problem("datetime", 0, "2020.01.31"));
  CHECK_FALSE(problem("datetime", 0, "2020.01.31 10.11.12"));
  CHECK(problem("datetime", 0, "2020.01.31 10.11.12.5"));
}

TEST_CASE("Digits that are no member of an enum or set are refused: the server would take the member of that number") {
  const Column digits = column("enum", "enum('a','10','it''7''s','2')");
  for (const std::string text : {"10", "2", "2 ", "a", "x", "", "1,2", "1x"}) {
    CAPTURE(text);
    CHECK_FALSE(convert(text, digits).problem);
  }
  for (const std::string text : {"1", "7", "0", "02", " 2", "+2", "-1", "1 "}) {
    CAPTURE(text);
    CHECK(
        convert(text, digits).problem ==
        "value '" + text + "' is no member, and would be taken for the number of one for column 'c' (" + digits.type +
            ")"
    );
  }
  CHECK(convert("3", column("set", "set('x','y')")).problem);
  CHECK_FALSE(convert("x,y", column("set", "set('x','y')")).problem);
}

TEST_CASE("A transaction that is too large is no matter of a row") {
  CHECK(isRefusal(sqlclient::makeSqlError(1366, "", "x", "incorrect value")));
  CHECK(isRefusal(sqlclient::makeSqlError(1062, "", "x", "duplicate")));
  CHECK_FALSE(isRefusal(sqlclient::makeSqlError(8004, "", "x", "Transaction is too large")));
  CHECK_FALSE(isRefusal(sqlclient::makeSqlError(1213, "", "x", "deadlock")));
}

TEST_CASE("A record with another number of fields is refused") {
  const std::vector<Column> columns = {column("int", "int"), column("int", "int")};
  const ImportOptions options;
  RowConverter converter(options, columns);
  Record record;
  record.fields.push_back({"1", false});
  std::vector<Value> values(2);
  std::uint64_t hash = 0;
  CHECK(converter.convert(record, values.data(), hash) == "1 field, expected 2");
  record.fields.resize(3);
  CHECK(converter.convert(record, values.data(), hash) == "3 fields, expected 2");
}
