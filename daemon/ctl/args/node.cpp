#include "node.hpp"

#include "tree.hpp"

namespace disttask::ctl {
namespace {

void addNode(CLI::App* sub, std::string& node) {
  sub->add_option("NODE", node, "The node's id, as node ls shows it")->required();
}

void addDrain(ArgumentTree& tree, CLI::App* node) {
  auto [drain, options] =
      tree.verb<NodeDrain>(node, "drain", "Empty a node: what waits there moves, what runs may end");
  addNode(drain, options.node);
  drain->add_option("-m,--message", options.message, "Why, for others to read");
  addDuration(
      drain,
      "--deadline",
      options.deadline,
      "After this long, such as 10m, what still runs and may run again is given back, too"
  );
  addWait(
      drain, options.wait, "Wait until the node is empty", "Stop waiting after this long; the node goes on draining"
  );
}

}  // namespace

void addNodeCommands(ArgumentTree& tree) {
  auto* node = tree.noun("node", "Nodes");
  tree.verb<NodeLs>(node, "ls", "List nodes");
  auto [cordon, cordon_options] =
      tree.verb<NodeCordon>(node, "cordon", "Give a node nothing more; what it has it works off");
  addNode(cordon, cordon_options.node);
  cordon->add_option("-m,--message", cordon_options.message, "Why, for others to read");
  auto [uncordon, uncordon_options] =
      tree.verb<NodeUncordon>(node, "uncordon", "Let a cordoned or draining node take part again");
  addNode(uncordon, uncordon_options.node);
  addDrain(tree, node);
  auto [events, events_options] =
      tree.verb<NodeEvents>(node, "events", "List what became of a node: when, what, by whom and why");
  addNode(events, events_options.node);
  events->add_option("--limit", events_options.limit, "The last so many")->check(CLI::Range(1, 100000));
  auto [forget, forget_options] =
      tree.verb<NodeForget>(node, "forget", "Delete the rows of a node that is gone for good; asks first");
  addNode(forget, forget_options.node);
  forget->add_flag(
      "--reassign",
      forget_options.reassign,
      "First see that its lease is over, let its subtasks go to other nodes, and say what keeps those that stay"
  );
  addDuration(
      forget, "--timeout", forget_options.timeout, "With --reassign: stop waiting after this long; default 60s"
  );
}

}  // namespace disttask::ctl
