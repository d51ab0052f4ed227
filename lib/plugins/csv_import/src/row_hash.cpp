#include "row_hash.hpp"

#include "disttask/base/error.hpp"

#include <libdeflate.h>

#include <algorithm>

namespace disttask::csv_import {
namespace {

std::uint64_t crc(const std::string& text) {
  return libdeflate_crc32(0, text.data(), text.size());
}

}  // namespace

std::uint64_t RowHasher::hash(std::span<const std::optional<std::string_view>> values) {
  forward_.clear();
  backward_.clear();
  for (std::size_t i = 0; i != values.size(); ++i) {
    if (i != 0) {
      forward_ += kForward;
      backward_ += kBackward;
    }
    forward_ += values[i].value_or(kNull);
    backward_ += values[values.size() - 1 - i].value_or(kNull);
  }
  return crc(forward_) * crc(backward_);
}

std::string RowSum::toString() const {
  std::string text;
  Wide left = sum_;
  do {
    text += static_cast<char>('0' + static_cast<int>(left % 10));
    left /= 10;
  } while (left != 0);
  std::reverse(text.begin(), text.end());
  return text;
}

RowSum RowSum::parse(std::string_view decimal) {
  RowSum result;
  bool good = !decimal.empty() && decimal.size() <= 38;
  for (const char c : decimal) {
    good = good && c >= '0' && c <= '9';
    result.sum_ = result.sum_ * 10 + static_cast<unsigned>(c - '0');
  }
  if (!good) throw Exception(ErrorCode::kInvalidArgument, "not a sum of hashes: '" + std::string(decimal) + "'");
  return result;
}

}  // namespace disttask::csv_import
