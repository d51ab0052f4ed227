#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace disttask::csv_import {

// Shared by the SQL text and by our own computation.
inline constexpr std::string_view kNull{"\x00\x1d\x00", 3};  // valid in every character set, and in no file
inline constexpr const char* kNullHex = "001d00";
inline constexpr char kForward = '\x1f';
inline constexpr const char* kForwardHex = "1f";
inline constexpr char kBackward = '\x1e';
inline constexpr const char* kBackwardHex = "1e";

/// Computes what the SQL text of statements::checksum sums up: the CRC-32 of a row's texts in order, times that of the
/// texts in reverse order, so that a swap between rows or columns shows too. One thread; keeps its buffers.
class RowHasher {
 public:
  /// `values`: the canonical texts of the hashed columns, none for NULL.
  [[nodiscard]] std::uint64_t hash(std::span<const std::optional<std::string_view>> values);

 private:
  std::string forward_;
  std::string backward_;
};

/// An exact sum of row hashes.
class RowSum {
 public:
  void add(std::uint64_t hash) noexcept { sum_ += hash; }
  void add(const RowSum& other) noexcept { sum_ += other.sum_; }
  [[nodiscard]] std::string toString() const;
  /// Throws kInvalidArgument for a text that is no decimal number below 2^128.
  [[nodiscard]] static RowSum parse(std::string_view decimal);
  /// Returns the sum modulo 2^64.
  [[nodiscard]] std::uint64_t low() const noexcept { return static_cast<std::uint64_t>(sum_); }
  friend bool operator==(const RowSum&, const RowSum&) = default;

 private:
  __extension__ using Wide = unsigned __int128;
  Wide sum_ = 0;
};

}  // namespace disttask::csv_import
