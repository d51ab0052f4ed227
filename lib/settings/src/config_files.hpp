#pragma once
#include "yaml_tree.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace disttask::settings {

/// What the files of one configuration say together.
struct ConfigFiles {
  std::vector<std::string> names;  ///< places refer to them by index; the named file is the first
  YamlNode tree;                   ///< merged
  bool complete = true;            ///< false: a file could not be read or is no YAML, so the tree lacks what it says
};

/// Reads a file and, if wanted, `*.yaml` of the folder `conf.d` beside it, in the order of names, merged by mergeYaml.
/// Problems: files that cannot be read, that everybody may write, more than 64, and those of parseYaml.
[[nodiscard]] ConfigFiles readConfigFiles(const std::string& path, bool with_folder, Problems& problems);
/// The same of one text.
[[nodiscard]] ConfigFiles readConfigText(std::string_view text, const std::string& name, Problems& problems);

}  // namespace disttask::settings
