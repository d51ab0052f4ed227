#include "history.hpp"

#include "node_show.hpp"
#include "tree.hpp"

namespace disttask::ctl {

void addHistoryCommands(ArgumentTree& tree) {
  auto* history = tree.noun("history", "Tasks that ended and were moved to the history tables");
  auto [ls, ls_options] = tree.verb<HistoryLs>(history, "ls", "List tasks in history, the newest first");
  ls->add_option_function<std::vector<std::string>>(
        "--state",
        [&options = ls_options](const std::vector<std::string>& texts) {
          for (const auto& text : texts) options.states.push_back(*proto::parseTaskState(text));
        },
        "Only tasks that ended so; may be given several times"
  )
      ->check(CLI::IsMember({"succeed", "failed", "reverted"}));
  ls->add_option("--type", ls_options.type, "Only tasks of this type");
  ls->add_option("--limit", ls_options.limit, "At most so many")->check(CLI::Range(1, 100000));
  auto [gc, gc_options] = tree.verb<HistoryGc>(
      history,
      "gc",
      "Delete subtasks and events that have been in history for long; asks first. The tasks' own rows stay: they "
      "refuse "
      "keys that were used before"
  );
  addDuration(
      gc, "--older-than", gc_options.older_than, "Only what is older than this, such as 7d; needed, at least 1m"
  );
  gc->get_option("--older-than")->required();
  // The other commands of nodes are in node.cpp.
  auto [show, show_options] = tree.verb<NodeShow>(
      tree.root().get_subcommand("node"),
      "show",
      "Show one node: its life, what is wanted of it, what it runs, its last events"
  );
  show->add_option("NODE", show_options.node, "The node's id, as node ls shows it")->required();
}

}  // namespace disttask::ctl
