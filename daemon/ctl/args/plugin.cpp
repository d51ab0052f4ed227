#include "plugin.hpp"

#include "tree.hpp"

namespace disttask::ctl {

void addPluginCommands(ArgumentTree& tree) {
  auto* plugin = tree.noun("plugin", "Task types and their plugins");
  tree.verb<PluginLs>(plugin, "ls", "List the task types that nodes offer");
  auto [check, options] = tree.verb<PluginCheck>(
      plugin, "check", "Load a plugin as a daemon would, and say what it offers or why it is refused"
  );
  check->add_option("FILE", options.file, "The shared object")->required();
}

}  // namespace disttask::ctl
