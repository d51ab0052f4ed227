#include "config.hpp"

#include "tree.hpp"

namespace disttask::ctl {

void addConfigCommands(ArgumentTree& tree) {
  const std::string file_help =
      "Settings of a daemon, conf.d beside it included; default --config, else /etc/disttask/disttask.yaml";
  auto* config = tree.noun("config", "Settings of a daemon");
  auto [check, check_options] = tree.verb<ConfigCheck>(
      config, "check", "Say all that is wrong with settings, as a daemon would at its start. Exit code 0 or 78"
  );
  check->add_option("FILE", check_options.file, file_help);
  check->add_flag(
      "--online",
      check_options.online,
      "Also connect as a daemon with them would: TLS, rights, schema, clock, connections; and load the plugins, each "
      "in "
      "a process of its own"
  );
  auto [show, show_options] =
      tree.verb<ConfigShow>(config, "show", "Show what settings say, each value with its origin, without secrets");
  show->add_option("FILE", show_options.file, file_help);
  show->add_flag("--defaults", show_options.defaults, "Also what no file sets");
  tree.verb<ConfigSchema>(config, "schema", "Write the JSON Schema of settings, for editors");
}

}  // namespace disttask::ctl
