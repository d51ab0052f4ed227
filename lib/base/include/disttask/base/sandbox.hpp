#pragma once
#include <string>
#include <string_view>

namespace disttask {

/// Returns what the service manager hides a path by, such as "ProtectHome="; empty: nothing that can be seen. `path` is
/// absolute, `mountinfo` a text as in /proc/self/mountinfo. Pure.
[[nodiscard]] std::string sandboxOver(std::string_view path, std::string_view mountinfo);

/// Returns what makes a path read-only though its file system is not, such as "ProtectSystem="; else empty. Pure.
[[nodiscard]] std::string writeProtectionOver(std::string_view path, std::string_view mountinfo);

/// Returns the end of a sentence on a file or folder that cannot be read: names the setting of this process' unit that
/// hides it, as far as it is one; else empty. Any thread.
[[nodiscard]] std::string sandboxHint(std::string_view path);

/// The same of one that cannot be written to: hidden, or read-only.
[[nodiscard]] std::string sandboxWriteHint(std::string_view path);

}  // namespace disttask
