#include "disttask/base/error.hpp"
#include "import_options.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using namespace disttask::csv_import;

namespace {

// A good meta, with one member more, or in place of its own.
std::string meta(const std::string& more) {
  std::string text = R"({"file": "/d/f.csv", "connection": "c", "target": {"schema": "s", "table": "t"})";
  return text + (more.empty() ? "" : ", ") + more + "}";
}

std::string problem(const std::string& text) {
  try {
    static_cast<void>(parseOptions(text));
  } catch (const Exception& exception) {
    CHECK(exception.error().code() == ErrorCode::kInvalidArgument);
    return exception.error().message();
  }
  return "no error";
}

}  // namespace

TEST_CASE("A task meta with only what is needed has the documented defaults") {
  const ImportOptions options = parseOptions(meta(""));
  CHECK(options.file == "/d/f.csv");
  CHECK(options.connection == "c");
  CHECK(options.schema == "s");
  CHECK(options.table == "t");
  CHECK(options.columns.empty());
  CHECK(options.header);
  CHECK(options.skip_lines == 0);
  CHECK(options.delimiter == ',');
  CHECK(options.quote == '"');
  CHECK(options.charset == Charset::kUtf8);
  CHECK(options.null_text == "");
  CHECK(options.into == Into::kEmpty);
  CHECK(options.on_duplicate == OnDuplicate::kError);
  CHECK(options.max_bad_records == 0);
  CHECK(options.chunk_bytes == 4194304);
  CHECK_FALSE(options.resume_of.has_value());
}

TEST_CASE("Each key of a task meta is read") {
  const ImportOptions options = parseOptions(meta(
      R"("columns": ["a", "b"], "header": false, "skip_lines": 3, "delimiter": "\t", "quote": "'", "charset": "binary",
         "null": "\\N", "into": "append", "on_duplicate": "replace", "max_bad_records": 7, "chunk_bytes": 65536, "resume_of": 12)"
  ));
  CHECK(options.columns == std::vector<std::string>{"a", "b"});
  CHECK_FALSE(options.header);
  CHECK(options.skip_lines == 3);
  CHECK(options.delimiter == '\t');
  CHECK(options.quote == '\'');
  CHECK(options.charset == Charset::kBinary);
  CHECK(options.null_text == "\\N");
  CHECK(options.into == Into::kAppend);
  CHECK(options.on_duplicate == OnDuplicate::kReplace);
  CHECK(options.max_bad_records == 7);
  CHECK(options.chunk_bytes == 65536);
  CHECK(options.resume_of == 12);
  CHECK_FALSE(parseOptions(meta(R"("null": null)")).null_text.has_value());
}

TEST_CASE("Each thing that is wrong with a task meta is one sentence that names the key") {
  CHECK_THAT(problem("{"), Catch::StartsWith("task meta is not JSON: "));
  CHECK(problem("[]") == "task meta: expected a JSON object, found array");
  CHECK(problem(R"({"connection": "c", "target": {"schema": "s", "table": "t"}})") == "file: missing");
  CHECK(problem(R"({"file": "/f", "target": {"schema": "s", "table": "t"}})") == "connection: missing");
  CHECK(problem(R"({"file": "/f", "connection": "c"})") == "target: missing");
  CHECK(problem(R"({"file": "/f", "connection": "c", "target": {"table": "t"}})") == "target.schema: missing");
  CHECK(problem(R"({"file": "/f", "connection": "c", "target": {"schema": "s"}})") == "target.table: missing");
  CHECK(problem(meta(R"("file": "f.csv")")) == "file: expected an absolute path, found 'f.csv'");
  CHECK(problem(meta(R"("file": 1)")) == "file: expected a string, found number");
  CHECK(problem(meta(R"("target": "s.t")")) == "target: expected an object with schema and table, found string");
  CHECK(
      problem(meta(R"("target": {"schema": "s", "table": "t", "x": 1})")) ==
      "target.x: no such key; expected schema, table"
  );
  CHECK(problem(meta(R"("columns": "a")")) == "columns: expected an array of names, found string");
  CHECK(problem(meta(R"("columns": [])")) == "columns: expected at least one name");
  CHECK(problem(meta(R"("columns": ["a", "a"])")) == "columns: 'a' is named twice");
  CHECK(problem(meta(R"("header": "yes")")) == "header: expected true or false, found string");
  CHECK(problem(meta(R"("header": false)")) == "columns: needed when header is false");
  CHECK(problem(meta(R"("skip_lines": -1)")) == "skip_lines: expected 0 to 1000000000, found -1");
  CHECK(problem(meta(R"("delimiter": "ab")")) == "delimiter: expected one ASCII character that is no line break");
  CHECK(problem(meta(R"("delimiter": "\n")")) == "delimiter: expected one ASCII character that is no line break");
  CHECK(problem(meta(R"("quote": "é")")) == "quote: expected one ASCII character that is no line break");
  CHECK(problem(meta(R"("quote": ",")")) == "quote: must differ from delimiter");
  CHECK(
      problem(meta(R"("charset": "latin1")")) == "charset: expected one of utf8, utf-8, utf8mb4, binary, found 'latin1'"
  );
  CHECK(problem(meta(R"("null": 0)")) == "null: expected a string, found number");
  CHECK(problem(meta(R"("null": "a,b")")) == "null: may not hold the delimiter");
  CHECK(problem(meta(R"("into": "full")")) == "into: expected one of empty, append, found 'full'");
  CHECK(
      problem(meta(R"("on_duplicate": "skip")")) == "on_duplicate: expected one of error, ignore, replace, found 'skip'"
  );
  CHECK(problem(meta(R"("on_duplicate": "ignore")")) == "on_duplicate: 'ignore' needs into 'append'");
  CHECK(problem(meta(R"("max_bad_records": 1.5)")) == "max_bad_records: expected a whole number, found number");
  CHECK(problem(meta(R"("chunk_bytes": 10)")) == "chunk_bytes: expected 1024 to 1073741824, found 10");
  CHECK(problem(meta(R"("resume_of": 0)")) == "resume_of: expected 1 to 9223372036854775807, found 0");
  CHECK_THAT(
      problem(meta(R"("password": "x")")), Catch::StartsWith("password: no such key; expected file, connection, ")
  );
}

TEST_CASE("Two tasks do the same work exactly when their identity is the same") {
  const std::string one = identityOf(parseOptions(meta("")));
  CHECK(one == identityOf(parseOptions(meta(R"("resume_of": 4, "max_bad_records": 9, "delimiter": ",")"))));
  CHECK(one != identityOf(parseOptions(meta(R"("delimiter": ";")"))));
  CHECK(one != identityOf(parseOptions(meta(R"("chunk_bytes": 4096)"))));
  CHECK(one != identityOf(parseOptions(meta(R"("null": null)"))));
  CHECK(one != identityOf(parseOptions(meta(R"("into": "append")"))));
}
