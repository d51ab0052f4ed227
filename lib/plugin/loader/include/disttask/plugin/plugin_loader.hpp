#pragma once
#include "disttask/base/expected.hpp"
#include "disttask/plugin/connection_source.hpp"
#include "disttask/plugin/task_types.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask_plugin.h"

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace disttask::plugin {

struct HostServices;

struct PluginLoaderSettings {
  std::string dir;  ///< folder of plugins
  std::vector<std::string>
      list;  ///< names (`csv_import` is DIR/csv_import.so) or paths (with a slash); empty: all *.so of dir
  std::map<std::string, std::string> config;  ///< task type → its settings as JSON
  std::optional<uid_t> owner;  ///< who may own plugin files and their folders, beside root and the user of this process
  std::function<void(const std::string&)>
      on_step;  ///< told what comes next before code of a plugin runs ("calling init"); may be empty
};

/// Returns the files that a folder and a list mean (PluginLoaderSettings), in the order in which they are loaded.
[[nodiscard]] Expected<std::vector<std::string>> findPlugins(
    const std::string& dir, const std::vector<std::string>& list
);

/// A plugin that was accepted.
struct LoadedPlugin {
  std::string origin;  ///< its file, or what adopt was told
  std::string name;
  std::string version;
  std::string build;
  std::vector<std::string> types;
};

/// What loading new files gave.
struct NewPlugins {
  std::vector<LoadedPlugin> loaded;
  std::vector<Error> refused;
  /// Sentences about files that are known and not as they were when they were tried: only a restart looks at them
  /// again.
  std::vector<std::string> need_restart;
};

/// Loads shared objects of task types and adds the types to TaskTypes. What it made lives in TaskTypes and uses the
/// connection source and the clock, which therefore outlive the types. Nothing is ever unloaded. One thread at a time;
/// other threads may work with the types meanwhile.
class PluginLoader {
 public:
  PluginLoader(PluginLoaderSettings settings, TaskTypes& types, ConnectionSource& connections, runtime::Clock& clock);
  ~PluginLoader();

  /// Loads what the settings name, by order of the list or of the file names. Returns one error for each plugin that
  /// was refused, each a sentence that names the file, what was found and what is needed; no error: all are loaded. A
  /// refused plugin adds no type.
  [[nodiscard]] std::vector<Error> loadAll();
  /// Loads the files that were not tried before, by another list and, for task types that are new, another
  /// configuration; the folder stays. What is loaded is never loaded again, whatever became of its file.
  [[nodiscard]] NewPlugins loadNew(std::vector<std::string> list, std::map<std::string, std::string> config);
  /// Loads one file.
  [[nodiscard]] Expected<LoadedPlugin> load(const std::string& path);
  /// Takes a plugin that is linked into this process, through the same checks and the same adapter. `origin` names it
  /// in messages.
  [[nodiscard]] Expected<LoadedPlugin> adopt(const disttask_plugin* plugin, const std::string& origin);

  [[nodiscard]] const std::vector<LoadedPlugin>& plugins() const noexcept { return plugins_; }

 private:
  void tell(const std::string& step) const;

  PluginLoaderSettings settings_;
  TaskTypes& types_;
  const std::shared_ptr<const HostServices> services_;
  std::vector<LoadedPlugin> plugins_;
  using FileId = std::pair<dev_t, ino_t>;
  std::map<FileId, std::string> files_;  // accepted or not: device and inode → the path that was tried
  std::set<FileId> refused_;             // those of them that were not
};

}  // namespace disttask::plugin
