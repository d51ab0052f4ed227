#include "shell_completion.hpp"

#include <functional>

namespace disttask::ctl {
namespace {

/// Calls `each` with every command but the root.
void walk(const CommandDoc& command, const std::function<void(const CommandDoc&)>& each) {
  for (const auto& child : command.commands) {
    each(child);
    walk(child, each);
  }
}

std::string joined(const std::vector<std::string>& words, const char* between = " ") {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string flagsOf(const CommandDoc& command) {
  std::string text;
  for (const auto& option : command.options) text += (text.empty() ? "" : " ") + joined(option.flags);
  return text;
}

std::string childrenOf(const CommandDoc& command) {
  std::string text;
  for (const auto& child : command.commands) text += (text.empty() ? "" : " ") + child.name;
  return text;
}

/// "task submit" of "disttaskctl task submit".
std::string wordsOf(const CommandDoc& command) {
  return command.path.substr(command.path.find(' ') + 1);
}

/// Flags of the root beside those that each command has by itself.
std::string commonFlagsOf(const CommandDoc& root) {
  std::string text;
  for (const auto& option : root.options) {
    if (option.flags.back() != "--help") text += (text.empty() ? "" : " ") + joined(option.flags);
  }
  return text;
}

/// What the first argument of a command is completed with: choices, quoted for a shell.
std::string choicesText(const CommandDoc& command) {
  return command.arguments.empty() ? "" : joined(command.arguments.front().choices);
}

/// The same for names of the store: a command in a shell's words, one name a line.
std::string namesText(const CommandDoc& command) {
  if (command.arguments.empty()) return "";
  const auto& first = command.arguments.front();
  if (first.value == "NAME") {
    // What can be looked at only may be in history, too.
    const bool looks = command.name == "show" || command.name == "events" || command.name == "subtasks" ||
                       command.name == "why" || command.name == "wait" || command.name == "watch";
    return std::string("$(disttaskctl task ls ") + (looks ? "--all " : "") + "-o name 2>/dev/null)";
  }
  if (first.value == "NODE") return "$(disttaskctl node ls -o name 2>/dev/null)";
  return "";
}

/// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

/// Cases of a bash `case` that complete the value of an option.
void addValueCases(const CommandDoc& command, std::string& script) {
  for (const auto& option : command.options) {
    if (option.value.empty()) continue;
    script += "    " + joined(option.flags, "|") + ") ";
    if (option.choices.empty()) {
      script += "compopt -o default 2>/dev/null; return ;;\n";
    } else {
      script += "COMPREPLY=($(compgen -W " + quoted(joined(option.choices)) + " -- \"$word\")); return ;;\n";
    }
  }
}

}  // namespace

std::string bashCompletion(const CommandDoc& root) {
  std::string script =
      "# Completion of disttaskctl for bash, made by 'disttaskctl completion bash'.\n"
      "_disttaskctl() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= flags= words= names= name= i\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$path ${COMP_WORDS[i]}\" in\n";
  std::string paths;
  walk(root, [&](const CommandDoc& command) {
    paths += (paths.empty() ? "" : "|") +
             quoted((command.path.find(' ') == command.path.rfind(' ') ? " " : "") + wordsOf(command));
  });
  script += "      " + paths + ") path=\"${path:+$path }${COMP_WORDS[i]}\" ;;\n    esac\n  done\n";
  std::string common;
  addValueCases(root, common);
  script += "  case \"$before\" in\n" + common + "  esac\n  case \"$path\" in\n";
  script += "    '') words=" + quoted(childrenOf(root)) + " flags='-h --help' ;;\n";
  walk(root, [&](const CommandDoc& command) {
    std::string values;
    addValueCases(command, values);
    script += "    " + quoted(wordsOf(command)) + ")\n";
    if (!values.empty()) script += "      case \"$before\" in\n" + values + "      esac\n";
    script += "      flags=" + quoted(flagsOf(command)) + "\n";
    if (!command.commands.empty()) script += "      words=" + quoted(childrenOf(command)) + "\n";
    if (const auto choices = choicesText(command); !choices.empty()) {
      script += "      [ \"${word:0:1}\" = - ] || words=" + quoted(choices) + "\n";
    }
    if (const auto names = namesText(command); !names.empty()) {
      script += "      [ \"${word:0:1}\" = - ] || names=" + names + "\n";
    }
    script += "      ;;\n";
  });
  script += "  esac\n  if [ \"${word:0:1}\" = - ]; then words=\"$flags " + commonFlagsOf(root) +
            "\"; fi\n"
            "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
            "  # Names are others' words: compgen -W would expand what is in them.\n"
            "  if [ -n \"$names\" ]; then\n"
            "    while IFS= read -r name; do\n"
            "      case \"$name\" in \"$word\"*) COMPREPLY+=(\"$(printf %q \"$name\")\") ;; esac\n"
            "    done <<<\"$names\"\n"
            "  fi\n"
            "  [ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default 2>/dev/null\n"
            "}\n"
            "complete -F _disttaskctl disttaskctl\n";
  return script;
}

std::string zshCompletion(const CommandDoc& root) {
  // zsh runs the function of bash.
  return "#compdef disttaskctl\n# Completion of disttaskctl for zsh, made by 'disttaskctl completion zsh'.\n"
         "autoload -U +X bashcompinit && bashcompinit\n"
         "(( $+functions[compopt] )) || compopt() { : }\n" +
         bashCompletion(root);
}

std::string fishCompletion(const CommandDoc& root) {
  std::string script =
      "# Completion of disttaskctl for fish, made by 'disttaskctl completion fish'.\ncomplete -c disttaskctl -f\n";
  const auto add = [&script](const CommandDoc& command, const std::string& condition) {
    const auto head = "complete -c disttaskctl" + (condition.empty() ? "" : " -n " + quoted(condition));
    for (const auto& option : command.options) {
      script += head;
      for (const auto& flag : option.flags) {
        script += flag.rfind("--", 0) == 0 ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      }
      if (!option.value.empty())
        script += option.choices.empty() ? " -r -F" : " -x -a " + quoted(joined(option.choices));
      script += " -d " + quoted(option.help) + "\n";
    }
    if (const auto names = namesText(command); !names.empty())
      script += head + " -a '(" + names.substr(2, names.size() - 3) + ")'\n";
    else if (const auto choices = choicesText(command); !choices.empty())
      script += head + " -a " + quoted(choices) + "\n";
  };
  add(root, "");
  for (const auto& noun : root.commands) {
    script += "complete -c disttaskctl -n __fish_use_subcommand -a " + noun.name + " -d " + quoted(noun.help) + "\n";
    add(noun, "__fish_seen_subcommand_from " + noun.name);
    for (const auto& verb : noun.commands) {
      const auto seen = "__fish_seen_subcommand_from " + noun.name;
      script += "complete -c disttaskctl -n " +
                quoted(seen + "; and not __fish_seen_subcommand_from " + childrenOf(noun)) + " -a " + verb.name +
                " -d " + quoted(verb.help) + "\n";
      add(verb, seen + "; and __fish_seen_subcommand_from " + verb.name);
    }
  }
  return script;
}

}  // namespace disttask::ctl
