#include "subtask.hpp"

#include "tree.hpp"

namespace disttask::ctl {
namespace {

void addSubtaskName(CLI::App* sub, std::string& name) {
  sub->add_option("ID", name, "The subtask's id, 42 or id:42, as task subtasks shows it")->required();
}

}  // namespace

void addSubtaskCommands(ArgumentTree& tree) {
  auto* subtask = tree.noun("subtask", "One subtask");
  auto [show, show_options] =
      tree.verb<SubtaskShow>(subtask, "show", "Show one subtask: its node, its runs, its error or result, its log");
  addSubtaskName(show, show_options.name);
  auto [cancel, cancel_options] = tree.verb<SubtaskCancel>(
      subtask,
      "cancel",
      "Cancel a subtask that does not run; its task then reverts, or waits for its resolution; asks first"
  );
  addSubtaskName(cancel, cancel_options.name);
}

}  // namespace disttask::ctl
