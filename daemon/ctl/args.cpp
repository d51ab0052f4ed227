#include "args.hpp"

#include "disttask/base/printable.hpp"
#include "disttask/settings/nearest_name.hpp"

#include "../exit_codes.hpp"
#include "args/tree.hpp"

#include <algorithm>
#include <sstream>

namespace disttask::ctl {
namespace {

/// Words of other programs for what is named otherwise here.
struct KnownWord {
  std::string_view noun;
  std::string_view word;
  std::string_view meant;
};
constexpr KnownWord kKnownWords[] = {
    {"node", "undrain", "uncordon"},
    {"node", "resume", "uncordon"},
    {"node", "list", "ls"},
    {"node", "delete", "forget"},
    {"node", "rm", "forget"},
    {"node", "remove", "forget"},
    {"task", "list", "ls"},
    {"task", "kill", "cancel"},
    {"task", "stop", "cancel"},
    {"task", "abort", "cancel"},
    {"task", "unpause", "resume"},
    {"task", "continue", "resume"},
    {"task", "create", "submit"},
    {"task", "run", "submit"},
    {"task", "status", "show"},
    {"task", "get", "show"},
};

std::string knownWord(const std::string& noun, const std::string& word) {
  for (const auto& known : kKnownWords) {
    if (known.noun == noun && known.word == word) return std::string(known.meant);
  }
  return "";
}

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
    auto nearest = knownWord(at->get_name(), word);
    if (nearest.empty()) nearest = settings::nearestName(word, names);
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

namespace {

/// The command that was meant, as far as its words were understood.
const CLI::App& deepest(const CLI::App& root) {
  const auto* app = &root;
  while (!app->get_subcommands().empty() && !app->get_subcommands().front()->get_name().empty())
    app = app->get_subcommands().front();
  return *app;
}

std::string pathOf(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : pathOf(*app.get_parent()) + " " + app.get_name();
}

std::string commandsOf(const CLI::App& app) {
  std::string names;
  for (const auto* sub : app.get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); }))
    names += (names.empty() ? "" : ", ") + sub->get_name();
  return names;
}

/// Says what is wrong, where, and what was expected.
std::string describeMistake(CLI::App& root, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  const auto& app = deepest(root);
  std::string text = error.what();
  const auto commands = commandsOf(app);
  if (!commands.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    text = describeUnknownCommand(root, arguments);
    if (text.empty()) text = "a command is missing, expected one of " + commands;
  } else if (const auto colon = text.find(": "); dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr &&
                                                 colon != std::string::npos &&
                                                 text.find(" missing", colon) != std::string::npos) {
    text = text.substr(0, colon) + ": a value is missing";
  }
  const auto path = pathOf(app);
  return path + ": " + text + "\nMore: " + path + " --help\n";
}

}  // namespace

std::variant<Arguments, EarlyEnd> parseArguments(const std::vector<std::string>& arguments) {
  ArgumentTree tree;
  addAllCommands(tree);
  try {
    auto words = arguments;
    std::reverse(words.begin(), words.end());
    tree.root().parse(std::move(words));
  } catch (const CLI::ParseError& end) {
    std::ostringstream out;
    std::ostringstream unused;
    const int code = tree.root().exit(end, out, unused);
    if (code == 0) return EarlyEnd{0, out.str()};
    return EarlyEnd{app::kExitUsage, describeMistake(tree.root(), end, arguments)};
  }
  if (!tree.command()) return EarlyEnd{app::kExitUsage, "disttaskctl: no command\n"};
  return Arguments{tree.common(), *tree.command()};
}

}  // namespace disttask::ctl
