#include "describe.hpp"

#include <algorithm>
#include <set>

namespace disttask::ctl {
namespace {

/// CLI11 keeps the choices of IsMember only as the text "{a,b}" in the name of the value.
std::vector<std::string> choicesIn(const std::string& type_name) {
  const auto begin = type_name.find('{');
  const auto end = type_name.find('}', begin);
  std::vector<std::string> choices;
  if (begin == std::string::npos || end == std::string::npos) return choices;
  std::size_t at = begin + 1;
  while (at <= end) {
    const auto comma = std::min(type_name.find(',', at), end);
    choices.push_back(type_name.substr(at, comma - at));
    at = comma + 1;
  }
  return choices;
}

std::string valueOf(const CLI::Option& option, const std::vector<std::string>& choices) {
  if (option.get_type_size() == 0) return "";
  std::string value;
  for (const auto& choice : choices) value += (value.empty() ? "" : "|") + choice;
  if (!value.empty()) return value;
  value = option.get_type_name();
  // "INT:INT in [1 - 4096]" says the kind twice.
  if (const auto colon = value.find(':'); colon != std::string::npos) {
    const auto kind = value.substr(0, colon);
    const auto rest = value.substr(colon + 1);
    value = rest.rfind(kind + " ", 0) == 0 ? rest : kind;
  }
  return value == "TEXT" ? "VALUE" : value;
}

OptionDoc describe(const CLI::Option& option) {
  OptionDoc doc;
  for (const auto& name : option.get_snames()) doc.flags.push_back("-" + name);
  for (const auto& name : option.get_lnames()) doc.flags.push_back("--" + name);
  doc.choices = choicesIn(option.get_type_name());
  doc.value = option.get_positional() ? option.get_name() : valueOf(option, doc.choices);
  doc.help = option.get_description();
  doc.is_required = option.get_required();
  return doc;
}

void describe(const CLI::App& app, CommandDoc& doc) {
  for (const auto* option : app.get_options({})) {
    (option->get_positional() ? doc.arguments : doc.options).push_back(describe(*option));
  }
  for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name().empty()) {  // a group of options
      describe(*sub, doc);
      continue;
    }
    if (sub->get_group().empty()) continue;
    CommandDoc child;
    child.name = sub->get_name();
    child.path = doc.path + " " + child.name;
    child.help = sub->get_description();
    child.footer = sub->get_footer();
    describe(*sub, child);
    doc.commands.push_back(std::move(child));
  }
}

}  // namespace

CommandDoc describeCommands(const CLI::App& root) {
  CommandDoc doc;
  doc.name = root.get_name();
  doc.path = doc.name;
  doc.help = root.get_description();
  doc.footer = root.get_footer();
  describe(root, doc);
  return doc;
}

}  // namespace disttask::ctl
