#include "trial.hpp"

#include "tree.hpp"

namespace disttask::ctl {

void addTrialCommands(ArgumentTree& tree) {
  // The other commands of plugins are in plugin.cpp.
  auto* plugin = tree.root().get_subcommand("plugin");
  auto [run, options] = tree.verb<PluginRun>(
      plugin, "run", "Run a task of a plugin here, from plan to end, on a table in memory: no daemon, no database"
  );
  run->add_option("FILE", options.file, "The shared object")->required();
  run->add_option("--meta", options.meta, "What the task type is told: JSON, or @FILE (@- = stdin)");
  run->add_option("--type", options.type, "Which task type, where the plugin has several");
  run->add_option("--slots", options.slots, "Slots of the node that runs it; a subtask takes one")
      ->check(CLI::Range(1, 64));
  run->add_option("--parallel", options.parallel, "Subtasks at a time; default: as the type wants")
      ->check(CLI::Range(1, 64));
  addDuration(run, "--cancel-after", options.cancel_after, "Cancel the task after so long, such as 2s");
  addDuration(
      run,
      "--kill-after",
      options.kill_after,
      "Kill the process that runs it after so long, as kill -9 does, and run it again on what the table has"
  );
  addDuration(run, "--timeout", options.timeout, "Give up after so long; exit code 4");
  auto [make, make_options] =
      tree.verb<PluginNew>(plugin, "new", "Write a project of a plugin with a test, ready to build");
  make->add_option("NAME", make_options.name, "Its name and that of its task type: lower-case letters, digits and _")
      ->required();
  make->add_option("--dir", make_options.dir, "Folder to write; default NAME. It must not exist, or be empty");
}

}  // namespace disttask::ctl
