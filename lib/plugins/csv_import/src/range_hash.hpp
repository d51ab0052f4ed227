#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::csv_import {

/// A 64-bit hash of a byte range, fed in blocks of any size: tells whether two nodes, or two moments, see the same
/// bytes. Against accidents, not against an attacker.
class RangeHash {
 public:
  void update(std::string_view bytes) noexcept;
  [[nodiscard]] std::uint64_t value() const noexcept;

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15U;
  std::uint64_t length_ = 0;
  std::uint64_t pending_ = 0;  // bytes that do not fill a word yet: length_ % 8 of them
};

/// Returns 16 hexadecimal digits, and back; throws kInvalidArgument for another text.
[[nodiscard]] std::string toHex(std::uint64_t value);
[[nodiscard]] std::uint64_t fromHex(std::string_view text);

}  // namespace disttask::csv_import
