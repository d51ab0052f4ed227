#include "disttask/base/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace disttask {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Decoded {
  char32_t character = 0;
  std::size_t num_bytes = 0;  // 0 = the bytes here are not UTF-8
};

// Decodes the character at the start of `text`, which is not empty (RFC 3629: shortest form, no surrogates, up to
// U+10FFFF).
Decoded decodeOne(std::string_view text) noexcept {
  const auto byteAt = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byteAt(0);
  if (first < 0x80) return {first, 1};
  std::size_t size = 0;
  char32_t character = 0;
  char32_t smallest = 0;
  if ((first & 0xE0U) == 0xC0) {
    size = 2, character = first & 0x1FU, smallest = 0x80;
  } else if ((first & 0xF0U) == 0xE0) {
    size = 3, character = first & 0x0FU, smallest = 0x800;
  } else if ((first & 0xF8U) == 0xF0) {
    size = 4, character = first & 0x07U, smallest = 0x10000;
  } else {
    return {};
  }
  if (text.size() < size) return {};
  for (std::size_t i = 1; i < size; ++i) {
    if ((byteAt(i) & 0xC0U) != 0x80) return {};
    character = (character << 6U) | (byteAt(i) & 0x3FU);
  }
  const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  if (character < smallest || surrogate || character > 0x10FFFF) return {};
  return {character, size};
}

struct Range {
  char32_t first;
  char32_t last;
};

// Characters that take no column: combining marks, joiners, variation selectors.
constexpr std::array kZeroWidth = {
    Range{0x0300, 0x036F}, Range{0x0483, 0x0489},   Range{0x0591, 0x05BD}, Range{0x0610, 0x061A}, Range{0x064B, 0x065F},
    Range{0x06D6, 0x06DC}, Range{0x093C, 0x093C},   Range{0x0941, 0x0948}, Range{0x094D, 0x094D}, Range{0x0E31, 0x0E31},
    Range{0x0E34, 0x0E3A}, Range{0x0E47, 0x0E4E},   Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF}, Range{0x200B, 0x200F},
    Range{0x202A, 0x202E}, Range{0x2060, 0x2064},   Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F},
    Range{0xFEFF, 0xFEFF}, Range{0xE0100, 0xE01EF},
};
// Characters that take two columns: East Asian wide and full-width, emoji.
constexpr std::array kDoubleWidth = {
    Range{0x1100, 0x115F},   Range{0x231A, 0x231B},   Range{0x2329, 0x232A},   Range{0x23E9, 0x23EC},
    Range{0x2E80, 0x303E},   Range{0x3041, 0x33FF},   Range{0x3400, 0x4DBF},   Range{0x4E00, 0x9FFF},
    Range{0xA000, 0xA4CF},   Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},
    Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},   Range{0x16FE0, 0x18CFF},
    Range{0x1B000, 0x1B2FF}, Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF},
    Range{0x1FA70, 0x1FAFF}, Range{0x20000, 0x3FFFD},
};

bool isIn(const auto& ranges, char32_t character) noexcept {
  const auto it = std::upper_bound(ranges.begin(), ranges.end(), character, [](char32_t c, const Range& range) {
    return c < range.first;
  });
  return it != ranges.begin() && character <= std::prev(it)->last;
}

std::size_t columnsOf(char32_t character) noexcept {
  if (character < 0x20 || (character >= 0x7F && character < 0xA0)) return 0;
  if (character < 0x300) return 1;
  if (isIn(kZeroWidth, character)) return 0;
  return isIn(kDoubleWidth, character) ? 2 : 1;
}

}  // namespace

std::size_t findInvalidUtf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const auto decoded = decodeOne(text.substr(at));
    if (decoded.num_bytes == 0) return at;
    at += decoded.num_bytes;
  }
  return std::string_view::npos;
}

std::string toValidUtf8(std::string_view text, std::size_t max_bytes) {
  std::string out;
  out.reserve(std::min(text.size(), max_bytes));
  for (std::size_t at = 0; at < text.size();) {
    const auto decoded = decodeOne(text.substr(at));
    const auto piece = decoded.num_bytes == 0 ? kReplacement : text.substr(at, decoded.num_bytes);
    if (piece.size() > max_bytes - out.size()) break;
    out += piece;
    at += decoded.num_bytes == 0 ? 1 : decoded.num_bytes;
  }
  return out;
}

std::size_t displayWidth(std::string_view text) noexcept {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto decoded = decodeOne(text.substr(at));
    width += decoded.num_bytes == 0 ? 1 : columnsOf(decoded.character);
    at += decoded.num_bytes == 0 ? 1 : decoded.num_bytes;
  }
  return width;
}

}  // namespace disttask
