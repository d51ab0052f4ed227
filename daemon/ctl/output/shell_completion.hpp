#pragma once
#include "command_doc.hpp"

#include <string>

namespace disttask::ctl {

/// Return scripts that complete nouns, verbs, options and the values that are few. Names of tasks and nodes are asked
/// from the store by `-o name`, where one is named in the environment or a file. Pure.
[[nodiscard]] std::string bashCompletion(const CommandDoc& root);
[[nodiscard]] std::string zshCompletion(const CommandDoc& root);
[[nodiscard]] std::string fishCompletion(const CommandDoc& root);

}  // namespace disttask::ctl
