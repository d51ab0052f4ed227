#include "disttask/base/error.hpp"
#include "range_hash.hpp"
#include "row_hash.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace disttask;
using namespace disttask::csv_import;

namespace {

std::uint64_t hashOf(const std::string& bytes) {
  RangeHash hash;
  hash.update(bytes);
  return hash.value();
}

using Row = std::vector<std::optional<std::string_view>>;

std::uint64_t rowHash(const Row& row) {
  RowHasher hasher;
  return hasher.hash(row);
}

}  // namespace

TEST_CASE("A range hash does not depend on how the bytes come in blocks") {
  std::mt19937 random(5);
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(random() % 256);
  const std::uint64_t expected = hashOf(bytes);
  for (int round = 0; round < 200; ++round) {
    RangeHash hash;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(random() % 40, bytes.size() - at);
      hash.update(std::string_view(bytes).substr(at, size));
      at += size;
    }
    REQUIRE(hash.value() == expected);
  }
}

TEST_CASE("A range hash sees a changed byte, a swap and a zero byte more") {
  const std::string bytes = "the quick brown fox jumps over the lazy dog";
  for (std::size_t i = 0; i != bytes.size(); ++i) {
    std::string other = bytes;
    other[i] = static_cast<char>(other[i] ^ 1);
    CHECK(hashOf(other) != hashOf(bytes));
  }
  CHECK(hashOf("12345678abcdefgh") != hashOf("abcdefgh12345678"));
  CHECK(hashOf(std::string("a\0", 2)) != hashOf("a"));
  CHECK(hashOf("") != hashOf(std::string(1, '\0')));
}

TEST_CASE("Hexadecimal hashes come back, other texts do not") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX, hashOf("x")}) {
    CHECK(fromHex(toHex(value)) == value);
  }
  CHECK(toHex(255) == "00000000000000ff");
  CHECK_THROWS_AS(fromHex("ff"), Exception);
  CHECK_THROWS_AS(fromHex("zzzzzzzzzzzzzzzz"), Exception);
}

TEST_CASE("A row hash tells NULL from an empty text, and values between columns and rows apart") {
  CHECK(rowHash({"a", std::nullopt}) != rowHash({"a", ""}));
  CHECK(rowHash({"a", "b"}) != rowHash({"b", "a"}));
  CHECK(rowHash({"ab", ""}) != rowHash({"a", "b"}));
  // Two rows that swap a value: a plain sum of CRCs may not change, this one does.
  CHECK(rowHash({"1", "x"}) + rowHash({"2", "y"}) != rowHash({"1", "y"}) + rowHash({"2", "x"}));
  // The value that MariaDB and MySQL compute for crc32('a\x1fb') * crc32('b\x1ea').
  CHECK(rowHash({"a", "b"}) == std::uint64_t{3635574511} * std::uint64_t{1525065805});
}

TEST_CASE("Sums of row hashes are exact beyond 64 bits") {
  RowSum sum;
  for (int i = 0; i < 10; ++i) sum.add(UINT64_MAX);
  CHECK(sum.toString() == "184467440737095516150");
  CHECK(RowSum::parse(sum.toString()) == sum);
  CHECK(RowSum().toString() == "0");
  RowSum twice = sum;
  twice.add(sum);
  CHECK(twice.toString() == "368934881474191032300");
  CHECK_THROWS_AS(RowSum::parse("1.5"), Exception);
  CHECK_THROWS_AS(RowSum::parse(""), Exception);
}
