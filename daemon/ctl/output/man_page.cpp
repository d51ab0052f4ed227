#include "man_page.hpp"

#include <algorithm>

namespace disttask::ctl {
namespace {

/// Text in which troff sees no requests: "-" is a minus, and no line begins with a dot or a quote.
std::string escaped(const std::string& text) {
  std::string out;
  bool at_begin = true;
  for (const char c : text) {
    if (at_begin && (c == '.' || c == '\'')) out += "\\&";
    at_begin = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string titleOf(const CommandDoc& command) {
  auto title = command.path;
  std::replace(title.begin(), title.end(), ' ', '-');
  return title;
}

std::string upper(std::string text) {
  for (auto& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

std::string headOf(const CommandDoc& command) {
  // The program's own line in --help begins with its name.
  const auto name = command.path + ": ";
  const auto help = command.help.rfind(name, 0) == 0 ? command.help.substr(name.size()) : command.help;
  return ".\\\" Made by 'disttaskctl man' from what --help shows.\n.TH " + upper(escaped(titleOf(command))) +
         " 1 \"\" \"disttask " DISTTASK_VERSION "\" \"disttask\"\n.SH NAME\n" + escaped(titleOf(command)) + " \\- " +
         escaped(help) + "\n";
}

std::string synopsisOf(const CommandDoc& command) {
  std::string text = "\\fB" + escaped(command.path) + "\\fR";
  for (const auto& argument : command.arguments) text += " \\fI" + escaped(argument.value) + "\\fR";
  for (const auto& option : command.options) {
    if (option.is_required)
      text += " \\fB" + escaped(option.flags.back()) + "\\fR \\fI" + escaped(option.value) + "\\fR";
  }
  return text + " [options]\n";
}

void addOptions(const std::vector<OptionDoc>& options, std::string& text) {
  for (const auto& option : options) {
    text += ".TP\n";
    std::string flags;
    for (const auto& flag : option.flags) flags += (flags.empty() ? "" : ", ") + ("\\fB" + escaped(flag) + "\\fR");
    text += flags;
    if (!option.value.empty()) text += (flags.empty() ? "\\fI" : " \\fI") + escaped(option.value) + "\\fR";
    text += "\n" + escaped(option.help.empty() ? "-" : option.help) + "\n";
  }
}

std::string pageOfNoun(const CommandDoc& noun) {
  auto text = headOf(noun) + ".SH SYNOPSIS\n";
  for (const auto& verb : noun.commands) text += synopsisOf(verb) + ".br\n";
  if (noun.commands.empty()) text += synopsisOf(noun);
  text += ".SH DESCRIPTION\n";
  addOptions(noun.arguments, text);
  addOptions(noun.options, text);
  for (const auto& verb : noun.commands) {
    text += ".SS " + escaped(verb.path) + "\n" + escaped(verb.help) + "\n";
    addOptions(verb.arguments, text);
    addOptions(verb.options, text);
  }
  return text + ".SH SEE ALSO\n.BR disttaskctl (1)\n";
}

std::string mainPage(const CommandDoc& root) {
  auto text =
      headOf(root) + ".SH SYNOPSIS\n\\fBdisttaskctl\\fR \\fINOUN VERB\\fR [\\fINAME\\fR] [options]\n.SH COMMANDS\n";
  for (const auto& noun : root.commands) {
    for (const auto& verb : noun.commands) text += ".TP\n" + synopsisOf(verb) + escaped(verb.help) + "\n";
    if (noun.commands.empty()) text += ".TP\n" + synopsisOf(noun) + escaped(noun.help) + "\n";
  }
  text += ".SH OPTIONS\nThese go with every command.\n";
  addOptions(root.options, text);
  text += ".SH NAMES, STORE AND EXIT CODES\n.nf\n" + escaped(root.footer) + "\n.fi\n.SH SEE ALSO\n";
  std::string pages;
  for (const auto& noun : root.commands)
    pages += (pages.empty() ? "" : ",\n") + (".BR " + escaped(titleOf(noun)) + " (1)");
  return text + pages + "\n";
}

}  // namespace

std::vector<ManPage> manPages(const CommandDoc& root) {
  std::vector<ManPage> pages{{root.name + ".1", mainPage(root)}};
  for (const auto& noun : root.commands) pages.push_back({titleOf(noun) + ".1", pageOfNoun(noun)});
  return pages;
}

}  // namespace disttask::ctl
