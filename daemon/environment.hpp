#pragma once
#include <optional>
#include <string>

namespace disttask::app {

/// Returns an environment variable; nothing when it is not set or empty. The only place of the programs that reads the
/// environment.
[[nodiscard]] std::optional<std::string> environmentValue(const char* name);
/// The same for one that holds a secret, which is then gone from the environment of this process and of its children.
/// Before there is a second thread.
[[nodiscard]] std::optional<std::string> takeEnvironmentSecret(const char* name);

/// Returns where this installation keeps its plugins: beside the running program (…/bin → …/lib/disttask/plugins).
[[nodiscard]] std::string installedPluginDir();

}  // namespace disttask::app
