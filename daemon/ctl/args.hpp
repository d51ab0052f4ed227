#pragma once
#include "args/common.hpp"

#include <any>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace disttask::ctl {

/// A command with its options, ready to run.
struct Command {
  std::any options;  ///< the struct of the command, such as TaskSubmit
  std::function<int(Context&)> run;
};

struct Arguments {
  CommonOptions common;
  Command command;
};

/// What to do instead of a command: write the text (help to stdout, a mistake to stderr) and end.
struct EarlyEnd {
  int exit_code = 0;
  std::string text;
};

/// Reads a command line. CLI11 is seen by the folder args only.
[[nodiscard]] std::variant<Arguments, EarlyEnd> parseArguments(const std::vector<std::string>& arguments);

}  // namespace disttask::ctl
