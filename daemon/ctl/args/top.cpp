#include "top.hpp"

#include "tree.hpp"

namespace disttask::ctl {

void addTopCommand(ArgumentTree& tree) {
  auto [top, options] = tree.verb<Top>(
      &tree.root(),
      "top",
      "Watch tasks, nodes and rates, redrawn in place; q leaves, s sorts. Off a terminal: one picture. Each look costs "
      "four short queries and, for each unfinished task, a count over the index entries of its step"
  );
  addDuration(top, "--interval", options.interval, "Between two looks; default 2s, at least 500ms");
  top->add_option("--limit", options.limit, "At most so many unfinished tasks are looked at")
      ->check(CLI::Range(1, 1000));
}

}  // namespace disttask::ctl
