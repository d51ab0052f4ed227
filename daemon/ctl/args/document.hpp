#pragma once
#include "common.hpp"

namespace disttask::ctl {

/// Texts made from the tree of arguments itself.
struct CompletionScript {
  std::string shell;  ///< bash, zsh or fish
};
struct ManPages {
  std::string directory;  ///< where to write them; empty = the main page to stdout
};

int execute(Context& context, const CompletionScript& options);
int execute(Context& context, const ManPages& options);

}  // namespace disttask::ctl
