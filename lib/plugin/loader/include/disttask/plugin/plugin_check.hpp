#pragma once
#include "disttask/runtime/clock.hpp"

#include <map>
#include <string>
#include <vector>

namespace disttask::plugin {

/// What `disttaskctl plugin check` says about a file.
struct PluginCheck {
  struct Type {
    std::string name;
    std::string version;
  };
  std::string problem;  ///< one sentence; empty: a daemon would load it
  std::string path;     ///< without symbolic links; empty when the file was not found
  std::string name;
  std::string version;
  std::string build;
  std::vector<Type> types;
};

/// Loads a plugin in a child process, as a daemon of this user would (path, owner and mode, descriptor, types), and
/// configures each type with what `config` has for it
/// (JSON), else with "{}". A plugin that crashes, ends the process or does not come back within `limit` is a problem
/// like others, and the sentence says during which step. What the plugin prints goes to stderr. Forks: only from a
/// process with one thread.
[[nodiscard]] PluginCheck checkPlugin(
    const std::string& path,
    runtime::Duration limit = std::chrono::seconds(30),
    const std::map<std::string, std::string>& config = {}
);

}  // namespace disttask::plugin
