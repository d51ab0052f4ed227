#include "range_hash.hpp"

#include "disttask/base/error.hpp"

#include <bit>
#include <charconv>
#include <cstring>

namespace disttask::csv_import {
namespace {

constexpr std::uint64_t kMultiplier = 0xff51afd7ed558ccdU;

std::uint64_t mixIn(std::uint64_t state, std::uint64_t word) noexcept {
  return std::rotl((state ^ word) * kMultiplier, 29) + 0x2545f4914f6cdd1dU;
}

}  // namespace

void RangeHash::update(std::string_view bytes) noexcept {
  static_assert(std::endian::native == std::endian::little, "words are read in the byte order of the machine");
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  while (left > 0 && length_ % 8 != 0) {
    pending_ |= std::uint64_t{static_cast<unsigned char>(*p)} << (length_ % 8 * 8);
    ++p, --left, ++length_;
    if (length_ % 8 == 0) {
      state_ = mixIn(state_, pending_);
      pending_ = 0;
    }
  }
  for (; left >= 8; p += 8, left -= 8, length_ += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, sizeof word);
    state_ = mixIn(state_, word);
  }
  for (; left > 0; ++p, --left, ++length_) {
    pending_ |= std::uint64_t{static_cast<unsigned char>(*p)} << (length_ % 8 * 8);
  }
}

std::uint64_t RangeHash::value() const noexcept {
  std::uint64_t hash = mixIn(mixIn(state_, pending_), length_);
  hash = (hash ^ (hash >> 33U)) * kMultiplier;
  hash = (hash ^ (hash >> 33U)) * 0xc4ceb9fe1a85ec53U;
  return hash ^ (hash >> 33U);
}

std::string toHex(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) text[i] = "0123456789abcdef"[value & 15U];
  return text;
}

std::uint64_t fromHex(std::string_view text) {
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != 16 || result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    throw Exception(ErrorCode::kInvalidArgument, "not a 64-bit hash in hexadecimal: '" + std::string(text) + "'");
  }
  return value;
}

}  // namespace disttask::csv_import
