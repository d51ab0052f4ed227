#pragma once
#include "disttask/plugin/plugin_loader.hpp"
#include "disttask/proto/task.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace disttask::plugin {

/// What a task's plugin says about it before it is submitted.
struct PluginTrial {
  std::string problem;       ///< why nothing was found out: no plugin offers the type, or it crashed; empty = it was
  std::string origin;        ///< the plugin's file
  std::string refusal;       ///< what `validate` says against the meta; empty = nothing
  std::string plan_problem;  ///< why the first step cannot be planned here: a file or a connection that is missing, say
  std::optional<std::int32_t> step;  ///< the first step; nothing = not asked for, or it has none
  std::int64_t subtasks = 0;         ///< of that step
  bool is_whole = true;              ///< false: there are more, the count stopped at kMaxTrialSubtasks
};

inline constexpr std::int64_t kMaxTrialSubtasks = 1'000'000;

/// Loads the plugins of the settings in a child process, as a daemon of this user would, and lets the one that offers
/// the task's type validate the meta; with `num_nodes` also plan the first step as if so many nodes took part, from
/// the connections of this process. Writes nothing to any store of ours. Forks: only from a process with one thread.
[[nodiscard]] PluginTrial tryTask(
    const PluginLoaderSettings& settings,
    const proto::Task& task,
    std::optional<std::int32_t> num_nodes,
    ConnectionSource& connections,
    runtime::Duration limit = std::chrono::seconds(30)
);

}  // namespace disttask::plugin
