#pragma once
#include "disttask/base/expected.hpp"

#include <sys/types.h>

#include <set>
#include <string>

namespace disttask::plugin {

/// A file that passed the checks.
struct PluginFile {
  std::string path;  ///< without symbolic links
  dev_t device = 0;
  ino_t inode = 0;
};

/// Resolves `path` and checks that nobody but root and `owners` can change what is loaded: the file and each folder
/// above it belong to one of them, the file is not writable by group or others, and neither is a folder unless it is
/// sticky. Else one sentence that names the path, what was found and what is needed.
[[nodiscard]] Expected<PluginFile> checkPluginPath(const std::string& path, const std::set<uid_t>& owners);

}  // namespace disttask::plugin
