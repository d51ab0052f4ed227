#pragma once
#include "disttask/settings/settings.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace disttask::settings {

/// Reads `HOST`, `HOST:PORT`, `[V6]:PORT`, or a path (a unix socket); nothing when it is none of them.
[[nodiscard]] std::optional<Endpoint> parseEndpoint(std::string_view text, std::uint16_t default_port = 3306);
/// Writes it in the same form.
[[nodiscard]] std::string toString(const Endpoint& endpoint);

}  // namespace disttask::settings
