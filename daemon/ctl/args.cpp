#include "args.hpp"

#include "../exit_codes.hpp"
#include "args/tree.hpp"

#include <algorithm>
#include <sstream>

namespace disttask::ctl {

void addAllCommands(ArgumentTree& tree) {
  addTaskCommands(tree);
  addSubtaskCommands(tree);
  addNodeCommands(tree);
  addPluginCommands(tree);
  addConfigCommands(tree);
  addSchemaCommands(tree);
  addDoctorCommands(tree);
  addHistoryCommands(tree);
  addTrialCommands(tree);
  addTopCommand(tree);
  addDocumentCommands(tree);
  tree.finish();
}

std::variant<Arguments, EarlyEnd> parseArguments(const std::vector<std::string>& arguments) {
  ArgumentTree tree;
  addAllCommands(tree);
  try {
    auto words = arguments;
    std::reverse(words.begin(), words.end());
    tree.root().parse(std::move(words));
  } catch (const CLI::ParseError& end) {
    std::ostringstream out;
    std::ostringstream mistake;
    const int code = tree.root().exit(end, out, mistake);
    if (code == 0) return EarlyEnd{0, out.str()};
    return EarlyEnd{app::kExitUsage, mistake.str()};
  }
  if (!tree.command()) return EarlyEnd{app::kExitUsage, "disttaskctl: no command\n"};
  return Arguments{tree.common(), *tree.command()};
}

}  // namespace disttask::ctl
