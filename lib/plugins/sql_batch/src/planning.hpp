#pragma once
#include "batch_options.hpp"
#include "disttask/plugin_common/sessions.hpp"
#include "disttask_plugin.hpp"
#include "plugin_config.hpp"

#include <string_view>

namespace disttask::sql_batch {

/// Cuts the table into key ranges, a batch of subtasks at a time, along the index. With the first batch everything is
/// checked that can be checked before a row is changed, and the greatest key is noted: what is inserted behind it later
/// is not touched. A dry run walks the same way and makes one subtask, whose meta says what would be done. Throws one
/// sentence for each thing that is wrong.
[[nodiscard]] sdk::Cursor planBatch(
    sdk::Planning& planning,
    const sdk::Task& task,
    const BatchOptions& options,
    const PluginConfig& config,
    plugin_common::Sessions& sessions,
    std::string_view cursor
);

}  // namespace disttask::sql_batch
