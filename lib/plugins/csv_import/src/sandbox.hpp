#pragma once
#include <string>
#include <string_view>

namespace disttask::csv_import {

/// Returns what the service manager hides a path by, such as "ProtectHome="; empty: nothing that can be seen. `path` is
/// absolute, `mountinfo` a text as in /proc/self/mountinfo. Pure.
[[nodiscard]] std::string sandboxOver(std::string_view path, std::string_view mountinfo);

/// Returns the end of a sentence on a file that cannot be read: names the setting of this process' unit that hides it,
/// as far as it is one; else empty.
[[nodiscard]] std::string sandboxHint(std::string_view path);

}  // namespace disttask::csv_import
