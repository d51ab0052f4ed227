#include "args.hpp"

#include "disttask/base/printable.hpp"
#include "disttask/settings/nearest_name.hpp"

#include "../exit_codes.hpp"
#include "args/tree.hpp"

#include <algorithm>
#include <sstream>

namespace disttask::ctl {
namespace {

/// Returns a sentence about the first word that stands where a command is expected and is none; empty when there is
/// none.
std::string describeUnknownCommand(CLI::App& root, const std::vector<std::string>& words) {
  auto* at = &root;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    if (word.starts_with('-')) {
      const auto* option = root.get_option_no_throw(word);
      if (option != nullptr && option->get_type_size() > 0) ++i;  // its value
      continue;
    }
    std::vector<std::string> names;
    CLI::App* next = nullptr;
    for (auto* sub : at->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(sub->get_name());
      if (sub->get_name() == word) next = sub;
    }
    if (names.empty()) return "";
    if (next != nullptr) {
      at = next;
      continue;
    }
    auto text = "'" + toPrintable(word, 80) + "' is no command" + (at == &root ? "" : " of " + at->get_name());
    const auto nearest = settings::nearestName(word, names);
    if (!nearest.empty()) return text + ", did you mean '" + nearest + "'?";
    text += ", expected";
    for (const auto& name : names) text += (&name == &names.front() ? " " : ", ") + name;
    return text;
  }
  return "";
}

}  // namespace

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
    if (dynamic_cast<const CLI::RequiredError*>(&end) != nullptr) {
      const auto unknown = describeUnknownCommand(tree.root(), arguments);
      if (!unknown.empty()) return EarlyEnd{app::kExitUsage, unknown + "\nRun with --help for more information.\n"};
    }
    return EarlyEnd{app::kExitUsage, mistake.str()};
  }
  if (!tree.command()) return EarlyEnd{app::kExitUsage, "disttaskctl: no command\n"};
  return Arguments{tree.common(), *tree.command()};
}

}  // namespace disttask::ctl
