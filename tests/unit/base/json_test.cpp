#include "disttask/base/json.hpp"

#include "disttask/base/error.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace disttask;

static std::string refusal(std::string_view text) {
  try {
    static_cast<void>(Json::parse(text));
  } catch (const Exception& e) {
    CHECK(e.error().code() == ErrorCode::kInvalidArgument);
    return e.error().message();
  }
  return "taken";
}

TEST_CASE("JSON texts survive a round trip", "[base][json]") {
  const std::string text = GENERATE(
      as<std::string>(),
      "null",
      "true",
      "-7",
      "0",
      "9223372036854775807",
      "-9223372036854775808",
      "18446744073709551615",
      "1.5",
      R"("")",
      R"("a\"b\\\n\u0001é")",
      "[]",
      "{}",
      R"([1,[2,{"a":[]}],null])",
      R"({"a":{"b":[true,false]},"z":"x"})"
  );
  CAPTURE(text);
  const auto value = Json::parse(text);
  CHECK(value.dump() == text);
  CHECK(Json::parse(value.dump(2)) == value);
}

TEST_CASE("JSON values know their kind", "[base][json]") {
  const auto value =
      Json::parse(R"({"n":null,"b":true,"i":3,"r":2.5,"w":4.0,"u":18446744073709551615,"s":"x","a":[1]})");
  CHECK(value.find("n")->isNull());
  CHECK(value.find("b")->asBool());
  CHECK(value.find("i")->asInt() == 3);
  CHECK(value.find("i")->asDouble() == 3.0);
  CHECK(value.find("r")->asDouble() == 2.5);
  CHECK_FALSE(value.find("r")->isInt());
  CHECK(value.find("w")->isInt());
  CHECK(value.find("w")->asInt() == 4);
  CHECK_FALSE(value.find("u")->isInt());
  CHECK(value.find("u")->isNumber());
  CHECK(value.find("s")->asString() == "x");
  CHECK(value.find("a")->asArray().size() == 1);
  CHECK(value.asObject().size() == 8);
  CHECK(value.find("absent") == nullptr);
  CHECK(Json(3).find("x") == nullptr);
}

TEST_CASE("A JSON value of another kind is refused with both kinds", "[base][json]") {
  CHECK_THROWS_WITH(Json("x").asBool(), "expected bool, found string");
  CHECK_THROWS_WITH(Json(true).asString(), "expected string, found bool");
  CHECK_THROWS_WITH(Json().asArray(), "expected array, found null");
  CHECK_THROWS_WITH(Json(Json::Array()).asObject(), "expected object, found array");
  CHECK_THROWS_WITH(Json(Json::Object()).asDouble(), "expected number, found object");
  CHECK_THROWS_WITH(Json("x").asInt(), "expected a whole number, found string");
  CHECK_THROWS_WITH(Json(1.5).asInt(), "expected a whole number of 64 bits, found 1.5");
  CHECK_THROWS_WITH(Json(1e300).asInt(), "expected a whole number of 64 bits, found 1e+300");
  CHECK_THROWS_WITH(
      Json(std::numeric_limits<std::uint64_t>::max()).asInt(),
      "expected a whole number of 64 bits, found 18446744073709551615"
  );
  CHECK_THROWS_WITH(Json(3)["a"], "expected object, found number");
  CHECK_THROWS_WITH(Json("x").push(1), "expected array, found string");
}

TEST_CASE("Equal numbers are equal JSON values however they were made", "[base][json]") {
  CHECK(Json(std::uint64_t{5}) == Json(5));
  CHECK(Json(5U) == Json(std::int64_t{5}));
  CHECK(Json::parse("5") == Json(5));
  CHECK(Json(5) != Json("5"));
}

TEST_CASE("JSON values are built member by member", "[base][json]") {
  Json value;
  value["b"] = 1;
  value["a"].push("x");
  value["a"].push(nullptr);
  value["b"] = 2;
  CHECK(value.dump() == R"({"a":["x",null],"b":2})");
}

TEST_CASE("Malformed JSON is refused with the byte offset and the reason", "[base][json]") {
  CHECK_THAT(
      refusal(""), Catch::StartsWith("malformed JSON at byte 0: ") && Catch::Contains("unexpected end of input")
  );
  CHECK_THAT(
      refusal(R"({"a":})"), Catch::StartsWith("malformed JSON at byte 5: ") && Catch::Contains("unexpected '}'")
  );
  CHECK_THAT(refusal("[1,2"), Catch::StartsWith("malformed JSON at byte 4: ") && Catch::Contains("expected ']'"));
  CHECK_THAT(
      refusal("{} x"), Catch::StartsWith("malformed JSON at byte 3: ") && Catch::Contains("expected end of input")
  );
  CHECK_THAT(refusal("\"a\xff\""), Catch::StartsWith("malformed JSON at byte 2: ") && Catch::Contains("UTF-8"));
  CHECK_THAT(refusal("1e999"), Catch::Contains("number overflow"));
  CHECK_THAT(refusal("'a'"), Catch::StartsWith("malformed JSON at byte 0: "));
  CHECK_THAT(refusal("[1 // two\n]"), !Catch::Contains("taken"));
}

TEST_CASE("JSON is taken up to 100 levels deep", "[base][json]") {
  CHECK_NOTHROW(Json::parse(std::string(100, '[') + std::string(100, ']')));
  CHECK_THAT(refusal(std::string(101, '[') + std::string(101, ']')), Catch::Contains("at most 100 levels"));
  CHECK_THAT(refusal(std::string(1'000'000, '[')), Catch::Contains("at most 100 levels"));
}

TEST_CASE("Bytes that are not UTF-8 are replaced when JSON is written", "[base][json]") {
  CHECK(
      Json("a\xff"
           "b")
          .dump() ==
      "\"a\xEF\xBF\xBD"
      "b\""
  );
  CHECK(Json(std::numeric_limits<double>::quiet_NaN()).dump() == "null");
}
