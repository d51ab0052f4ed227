#pragma once
#include <string>
#include <variant>
#include <vector>

namespace disttask::app {

struct DaemonArguments {
  std::string config = "/etc/disttask/disttask.yaml";
  bool check_config = false;
};

/// What to do instead of running: write the text (help to stdout, a mistake to stderr) and end.
struct DaemonEarlyEnd {
  int exit_code = 0;
  std::string text;
};

/// Reads the command line of disttaskd. The only source of it that sees CLI11.
[[nodiscard]] std::variant<DaemonArguments, DaemonEarlyEnd> parseDaemonArguments(
    const std::vector<std::string>& arguments
);

}  // namespace disttask::app
