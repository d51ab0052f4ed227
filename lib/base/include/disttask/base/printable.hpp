#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace disttask {

/// Returns `text`, which may hold any bytes, as part of a message: valid UTF-8 on one line, control characters as
/// spaces, at most `max_bytes`. Any thread.
[[nodiscard]] std::string toPrintable(std::string_view text, std::size_t max_bytes = 300);

}  // namespace disttask
