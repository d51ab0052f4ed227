#include "disttask/base/printable.hpp"

#include <catch2/catch.hpp>

using disttask::toPrintable;

TEST_CASE("Text of any bytes becomes one line that commands no terminal") {
  CHECK(toPrintable("plain, with ä and 日本") == "plain, with ä and 日本");
  CHECK(toPrintable("two\nlines\r\tand \x1b[31mred\x7f") == "two lines  and  [31mred ");
  CHECK(toPrintable(std::string_view("a\0b", 3)) == "a b");
  CHECK(toPrintable("\xff") == "\xEF\xBF\xBD");
  CHECK(
      toPrintable("csi \xC2\x9B"
                  "31m") ==
      "csi \xC2\xA0"
      "31m"
  );
  CHECK(toPrintable("") == "");
}

TEST_CASE("Printable text is cut at a character") {
  CHECK(toPrintable("äää", 5) == "ää");
  CHECK(toPrintable(std::string(1000, 'x')).size() == 300);
}
