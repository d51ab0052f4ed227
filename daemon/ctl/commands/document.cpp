#include "../args/document.hpp"

#include "disttask/base/error.hpp"

#include "../../exit_codes.hpp"
#include "../args/describe.hpp"
#include "../args/tree.hpp"
#include "../context.hpp"
#include "../output/man_page.hpp"
#include "../output/shell_completion.hpp"

#include <filesystem>
#include <fstream>

namespace disttask::ctl {

int execute(Context& context, const CompletionScript& options) {
  ArgumentTree tree;
  addAllCommands(tree);
  const auto commands = describeCommands(tree.root());
  if (options.shell == "bash") {
    context.out() << bashCompletion(commands);
  } else if (options.shell == "zsh") {
    context.out() << zshCompletion(commands);
  } else {
    context.out() << fishCompletion(commands);
  }
  return app::kExitClean;
}

int execute(Context& context, const ManPages& options) {
  ArgumentTree tree;
  addAllCommands(tree);
  const auto pages = manPages(describeCommands(tree.root()));
  if (options.directory.empty()) {
    context.out() << pages.front().text;
    return app::kExitClean;
  }
  for (const auto& page : pages) {
    const auto path = std::filesystem::path(options.directory) / page.file;
    std::ofstream file(path);
    file << page.text;
    file.close();
    if (!file) throw Exception(ErrorCode::kNotFound, path.string() + " cannot be written");
    context.out() << path.string() << '\n';
  }
  return app::kExitClean;
}

}  // namespace disttask::ctl
