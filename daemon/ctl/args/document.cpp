#include "document.hpp"

#include "tree.hpp"

namespace disttask::ctl {

void addDocumentCommands(ArgumentTree& tree) {
  auto [completion, options] = tree.verb<CompletionScript>(
      &tree.root(),
      "completion",
      "Write a script that completes commands and options: source <(disttaskctl completion bash)"
  );
  completion->add_option("SHELL", options.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  auto [man, man_options] = tree.verb<ManPages>(&tree.root(), "man", "Write the manual pages");
  man->add_option("--directory", man_options.directory, "Folder for all of them; default: the main page to stdout");
  // For packagers, who call it when they install.
  man->group("");
}

}  // namespace disttask::ctl
