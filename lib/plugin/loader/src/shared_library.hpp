#pragma once
#include "disttask/base/expected.hpp"
#include "disttask_plugin.h"

#include <string>

namespace disttask::plugin {

struct PluginEntry {
  disttask_plugin_entry call = nullptr;
};

/// Loads a shared object, all symbols resolved now and none given to others, and returns its entry point; else one
/// sentence with the loader's own text. `path` is absolute. What was loaded is never closed, also when it is refused
/// later: its constructors have run, and threads, exit handlers and thread-locals of it may live on.
[[nodiscard]] Expected<PluginEntry> openPlugin(const std::string& path);

}  // namespace disttask::plugin
