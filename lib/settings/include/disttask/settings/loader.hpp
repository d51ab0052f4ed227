#pragma once
#include "disttask/base/expected.hpp"
#include "disttask/settings/settings.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace disttask::settings {

/// What defaults depend on; given by the program, so that tests decide it.
struct HostFacts {
  std::string host_name;
  std::int32_t cpu_count = 1;
  std::int64_t memory_bytes = 0;
  std::string plugin_dir;             ///< where this build installs plugins
  std::string credentials_directory;  ///< $CREDENTIALS_DIRECTORY; empty = none
};

/// Finds out host name, CPUs and memory that this process may use: affinity and cgroup limits count. The other two stay
/// empty.
[[nodiscard]] HostFacts detectHostFacts();

/// Reads the settings of a daemon from YAML text. The error (kInvalidConfig) lists every problem, one a line and by
/// line number, as `FILE:LINE: path: value …, expected …`. Looks at the files that the text names (passwords,
/// certificates), not at the store. Thread-compatible.
[[nodiscard]] Expected<Settings> parseSettings(
    std::string_view yaml, const std::string& file_name, const HostFacts& facts
);
/// The same from a file; one that cannot be read is one problem.
[[nodiscard]] Expected<Settings> loadSettings(const std::string& path, const HostFacts& facts);

/// Reads the settings of disttaskctl: a file with a section `store` only, in the same form.
[[nodiscard]] Expected<StoreSettings> loadCtlSettings(const std::string& path, const HostFacts& facts);

/// Writes settings as YAML, defaults included, secrets left out.
[[nodiscard]] std::string dumpSettings(const Settings& settings);

}  // namespace disttask::settings
