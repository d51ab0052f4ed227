#pragma once
#include <optional>
#include <string>

namespace disttask::app {

/// Returns an environment variable; nothing when it is not set or empty. The only place of the programs that reads the
/// environment.
[[nodiscard]] std::optional<std::string> environmentValue(const char* name);

/// Returns where this installation keeps its plugins: beside the running program (…/bin → …/lib/disttask/plugins).
[[nodiscard]] std::string installedPluginDir();

}  // namespace disttask::app
