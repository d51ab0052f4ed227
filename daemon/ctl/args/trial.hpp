#pragma once
#include "common.hpp"

namespace disttask::ctl {

struct PluginRun {
  std::string file;
  std::string type;           ///< empty = the only one that the plugin has
  std::string meta = "{}";    ///< JSON, or @FILE
  std::int32_t slots = 4;     ///< of the node
  std::int32_t parallel = 0;  ///< subtasks at a time; 0 = as the type wants
  std::optional<std::chrono::milliseconds> cancel_after;
  std::optional<std::chrono::milliseconds> kill_after;
  std::optional<std::chrono::milliseconds> timeout;
};
struct PluginNew {
  std::string name;
  std::string dir;  ///< empty = NAME below the working directory
};

int execute(Context& context, const PluginRun& options);
int execute(Context& context, const PluginNew& options);

}  // namespace disttask::ctl
