#include "row_loader.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace disttask;
using namespace disttask::csv_import;

TEST_CASE("A row to load escapes what would end a field or a row, at every place of a word") {
  for (std::size_t at = 0; at != 20; ++at) {
    std::string value(20, 'x');
    std::string expected = value;
    value[at] = '\t';
    expected.replace(at, 1, "\\t");
    std::string text;
    const sqlclient::Values values{value, std::int64_t{-5}, nullptr, std::string()};
    appendRow(text, values.data(), values.size());
    CHECK(text == expected + "\t-5\t\\N\t\n");
  }
  std::string text;
  const sqlclient::Value value = std::string("\\N\n\0\xff", 5);
  appendRow(text, &value, 1);
  CHECK(text == "\\\\N\\n\\0\xff\n");
}

TEST_CASE("Loads are given up after three refusals, or at once when the server forbids them") {
  LoadTrust trust;
  trust.note({"a row", false});
  trust.note({"a row", false});
  CHECK(trust.isGiven());
  trust.note({"a row", false});
  CHECK_FALSE(trust.isGiven());
  LoadTrust forbidden;
  forbidden.note({"not allowed", true});
  CHECK_FALSE(forbidden.isGiven());
}
