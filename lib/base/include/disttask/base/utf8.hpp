#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace disttask {

/// Returns the offset of the first byte that is not part of valid UTF-8 (RFC 3629), or npos. Any thread.
[[nodiscard]] std::size_t findInvalidUtf8(std::string_view text) noexcept;
/// Returns `text` as valid UTF-8 of at most `max_bytes`, cut at a character boundary; bad bytes become U+FFFD.
[[nodiscard]] std::string toValidUtf8(std::string_view text, std::size_t max_bytes = std::string::npos);
/// Returns how many terminal columns `text` takes (wide characters count 2, combining ones 0).
[[nodiscard]] std::size_t displayWidth(std::string_view text) noexcept;

}  // namespace disttask
