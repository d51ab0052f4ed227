#include "disttask/base/random.hpp"

#include "disttask/base/strong_id.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace disttask;

TEST_CASE("Random tokens are positive and differ", "[base][random]") {
  std::set<std::int64_t> tokens;
  for (int i = 0; i < 1000; ++i) tokens.insert(randomToken());
  CHECK(tokens.size() == 1000);
  CHECK(*tokens.begin() > 0);
}

TEST_CASE("Random numbers stay below their bound and take all values", "[base][random]") {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(randomBelow(4));
  CHECK(seen == std::set<std::uint64_t>{0, 1, 2, 3});
  CHECK(randomBelow(1) == 0);
  CHECK(randomBelow(0) == 0);
}

TEST_CASE("Strong ids compare and hash by value and do not mix", "[base][strong_id]") {
  using A = StrongId<struct ATag, std::int64_t>;
  using B = StrongId<struct BTag, std::int64_t>;
  CHECK(A(1) < A(2));
  CHECK(A(3) == A(3));
  CHECK(A().value() == 0);
  CHECK(std::hash<A>{}(A(7)) == std::hash<std::int64_t>{}(7));
  STATIC_REQUIRE_FALSE(std::is_convertible_v<A, B>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<std::int64_t, A>);
}
