#include "disttask/base/utf8.hpp"

#include <catch2/catch.hpp>

using namespace disttask;
using namespace std::string_literals;

static const std::string kReplacement = "\xEF\xBF\xBD";

TEST_CASE("Valid UTF-8 has no invalid byte", "[base][utf8]") {
  const std::string text =
      GENERATE(as<std::string>(), "", "plain", "é€", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF", "\x7F");
  CHECK(findInvalidUtf8(text) == std::string::npos);
  CHECK(toValidUtf8(text) == text);
  CHECK(findInvalidUtf8("a\0b"s) == std::string::npos);
}

TEST_CASE("The first byte that is not UTF-8 is found", "[base][utf8]") {
  const std::string bad = GENERATE(
      as<std::string>(),
      "\x80",              // a continuation alone
      "\xC3",              // cut
      "\xC0\x80",          // longer than needed
      "\xE0\x80\x80",      // longer than needed
      "\xF0\x80\x80\x80",  // longer than needed
      "\xED\xA0\x80",      // a surrogate
      "\xF4\x90\x80\x80",  // beyond U+10FFFF
      "\xF8\x88\x80\x80\x80",
      "\xFF",
      "\xE2\x82"
  );
  CHECK(findInvalidUtf8("ok" + bad) == 2);
  CHECK(findInvalidUtf8("é" + bad + "x") == 2);
  const auto repaired = toValidUtf8("a" + bad + "z");
  CHECK(findInvalidUtf8(repaired) == std::string::npos);
  CHECK(repaired.starts_with("a" + kReplacement));
  CHECK(repaired.ends_with("z"));
}

TEST_CASE("A cut never splits a character", "[base][utf8]") {
  CHECK(toValidUtf8("aé€x", 0).empty());
  CHECK(toValidUtf8("aé€x", 2) == "a");
  CHECK(toValidUtf8("aé€x", 3) == "aé");
  CHECK(toValidUtf8("aé€x", 5) == "aé");
  CHECK(toValidUtf8("aé€x", 6) == "aé€");
  CHECK(toValidUtf8("aé€x", 7) == "aé€x");
  CHECK(toValidUtf8("\xFFx", 2).empty());
  CHECK(toValidUtf8("\xFFx", 3) == kReplacement);
}

TEST_CASE("The display width counts columns", "[base][utf8]") {
  CHECK(displayWidth("") == 0);
  CHECK(displayWidth("abc") == 3);
  CHECK(displayWidth("é") == 1);
  CHECK(displayWidth("e\u0301") == 1);
  CHECK(displayWidth("日本") == 4);
  CHECK(displayWidth("한") == 2);
  CHECK(displayWidth("\xF0\x9F\x98\x80") == 2);
  CHECK(displayWidth("€█…") == 3);
  CHECK(displayWidth("\xFF") == 1);
  CHECK(displayWidth("a\tb") == 2);
}
