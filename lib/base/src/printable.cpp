#include "disttask/base/printable.hpp"

#include "disttask/base/utf8.hpp"

namespace disttask {

std::string toPrintable(std::string_view text, std::size_t max_bytes) {
  auto clean = toValidUtf8(text, max_bytes);
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const auto byte = static_cast<unsigned char>(clean[i]);
    // U+0080 to U+009F are control characters too: 0xC2 and this byte. U+00A0 is a space.
    const bool is_c1 = byte == 0xC2 && i + 1 < clean.size() && static_cast<unsigned char>(clean[i + 1]) < 0xA0;
    if (is_c1) {
      clean[i + 1] = static_cast<char>(0xA0);
    } else if (byte < 0x20 || byte == 0x7F) {
      clean[i] = ' ';
    }
  }
  return clean;
}

}  // namespace disttask
