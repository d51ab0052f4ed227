#pragma once
#include "disttask_plugin.hpp"
#include "import_options.hpp"
#include "plugin_config.hpp"
#include "sessions.hpp"

#include <string_view>

namespace disttask::csv_import {

/// Plans step `import`: with the first batch everything is checked that can be checked before a row is written; each
/// batch is one stretch of the file. Throws FileMissing on a node without the file, and one sentence for each kind of
/// bad input.
[[nodiscard]] sdk::Cursor planImport(
    sdk::Planning& planning,
    const sdk::Task& task,
    const ImportOptions& options,
    const PluginConfig& config,
    Sessions& sessions,
    std::string_view cursor
);

/// Plans step `verify` from the results of step `import`.
[[nodiscard]] sdk::Cursor planVerify(
    sdk::Planning& planning, const sdk::Task& task, const ImportOptions& options, Sessions& sessions
);

}  // namespace disttask::csv_import
