#pragma once
#include "disttask/settings/values.hpp"

#include <functional>
#include <string>
#include <vector>

namespace disttask::app {

/// What reading the settings again would change.
struct ReloadPlan {
  settings::Settings next;                            ///< the present ones, with what can be applied now
  std::vector<settings::SettingChange> applied;       ///< what `next` has other than the present ones
  std::vector<settings::SettingChange> need_restart;  ///< what the files say and a restart alone applies
};

/// Compares settings by the table of keys: live ones are applied, and so is the configuration of task types that are
/// not loaded yet. `is_loaded`: does this process offer the task type? Pure.
[[nodiscard]] ReloadPlan planReload(
    const settings::Settings& present,
    const settings::Settings& fresh,
    const std::function<bool(const std::string& type)>& is_loaded
);

/// Says what a change is, for logs: `node.slots: 2 -> 4`.
[[nodiscard]] std::string toString(const settings::SettingChange& change);

}  // namespace disttask::app
