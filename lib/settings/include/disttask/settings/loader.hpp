#pragma once
#include "disttask/base/expected.hpp"
#include "disttask/settings/settings.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::settings {

/// What defaults depend on; given by the program, so that tests decide it.
struct HostFacts {
  std::string host_name;
  std::int32_t cpu_count = 1;
  std::int64_t memory_bytes = 0;
  std::string plugin_dir;             ///< where this build installs plugins
  std::string credentials_directory;  ///< $CREDENTIALS_DIRECTORY; empty = none
  std::string instance = {};          ///< what node.instance is when the file does not say; empty = none
  std::string state_dir = {};         ///< what node.state_dir is then; empty = the built-in default
  /// The store's password comes from elsewhere: those of the settings need not be readable, nor keys of connections.
  bool has_password = false;
};

/// Finds out host name, CPUs and memory that this process may use: affinity and cgroup limits count. The others stay
/// empty.
[[nodiscard]] HostFacts detectHostFacts();

/// One thing that is wrong with settings.
struct SettingsProblem {
  std::string file;
  int line = 0;  ///< from 1; 0: the file as a whole
  int column = 0;
  std::string path;  ///< such as node.slots; empty: no single key
  std::string text;  ///< what was found, what is expected
};
/// Writes it as `FILE:LINE:COLUMN: path: value …, expected …`.
[[nodiscard]] std::string toString(const SettingsProblem& problem);

/// Where a value stands.
struct SettingPlace {
  std::string file;
  int line = 1;
  int column = 1;
};

/// What reading settings gave.
struct SettingsRead {
  Settings settings;                           ///< of use only without problems
  std::vector<SettingsProblem> problems;       ///< by file, line and column
  std::vector<std::string> files;              ///< that were read, in order; a later one wins
  std::map<std::string, SettingPlace> places;  ///< path of each key that the files set → where its value comes from
};

/// Reads the settings of a daemon from a file and from those of the folder `conf.d` beside it: `*.yaml`, in the order
/// of names, at most 64. Maps are merged deeply, all else is replaced by the later file. Looks at the files that the
/// text names (passwords, certificates), not at the store. Thread-compatible.
[[nodiscard]] SettingsRead readSettings(const std::string& path, const HostFacts& facts);
/// The same; the error (kInvalidConfig) lists every problem, one a line.
[[nodiscard]] Expected<Settings> loadSettings(const std::string& path, const HostFacts& facts);
/// The same from YAML text alone.
[[nodiscard]] Expected<Settings> parseSettings(
    std::string_view yaml, const std::string& file_name, const HostFacts& facts
);

/// Reads the settings of disttaskctl: a file with a section `store` only, in the same form, alone.
[[nodiscard]] Expected<StoreSettings> loadCtlSettings(const std::string& path, const HostFacts& facts);

}  // namespace disttask::settings
