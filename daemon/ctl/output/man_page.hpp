#pragma once
#include "command_doc.hpp"

#include <string>
#include <vector>

namespace disttask::ctl {

struct ManPage {
  std::string file;  ///< "disttaskctl-task.1"
  std::string text;  ///< troff
};

/// Returns the page of the program, then one for each noun. Pure.
[[nodiscard]] std::vector<ManPage> manPages(const CommandDoc& root);

}  // namespace disttask::ctl
