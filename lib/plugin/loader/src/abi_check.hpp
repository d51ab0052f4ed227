#pragma once
#include "disttask_plugin.h"

#include <optional>
#include <string>

namespace disttask::plugin {

// Pure checks of what a plugin hands over. Each returns nothing when all is well, else one sentence that names the
// field, what was found and what is needed. They read only what earlier checks have covered.

/// Checks the descriptor, in the order of the ABI: struct_size, magic, abi_major, abi_minor, then the functions.
[[nodiscard]] std::optional<std::string> checkDescriptor(const disttask_plugin* plugin);
/// Checks one task type: size, name, functions, options.
[[nodiscard]] std::optional<std::string> checkTaskType(const disttask_task_type* type);
/// Checks an object that create_step returned.
[[nodiscard]] std::optional<std::string> checkStep(const disttask_step* step);

}  // namespace disttask::plugin
