#pragma once
#include <string>
#include <vector>

namespace disttask::ctl {

struct ProjectFile {
  std::string path;  ///< below the project's folder
  std::string text;
};

/// Returns the files of a new plugin project: build, plugin, test and a page to read. `name` is an identifier.
[[nodiscard]] std::vector<ProjectFile> projectFiles(const std::string& name);

}  // namespace disttask::ctl
