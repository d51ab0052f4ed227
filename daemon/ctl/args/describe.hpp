#pragma once
#include "../output/command_doc.hpp"
#include <CLI/CLI.hpp>

namespace disttask::ctl {

/// Returns what a tree of commands offers: the one source of --help, completions and manual pages. Hidden commands are
/// left out.
[[nodiscard]] CommandDoc describeCommands(const CLI::App& root);

}  // namespace disttask::ctl
