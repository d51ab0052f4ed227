#pragma once
#include <string>
#include <vector>

namespace disttask::ctl {

/// An option or argument of a command, as documents and completions need it.
struct OptionDoc {
  std::vector<std::string> flags;    ///< "-o", "--output"; empty for an argument
  std::string value;                 ///< what it takes: "FILE", "table|json"; the name of an argument; empty = a flag
  std::vector<std::string> choices;  ///< all values, where they are few
  std::string help;
  bool is_required = false;
};

/// A command, or a noun with its verbs.
struct CommandDoc {
  std::string path;  ///< "disttaskctl task submit"
  std::string name;  ///< "submit"
  std::string help;
  std::vector<OptionDoc> options;
  std::vector<OptionDoc> arguments;
  std::vector<CommandDoc> commands;
  std::string footer;
};

}  // namespace disttask::ctl
