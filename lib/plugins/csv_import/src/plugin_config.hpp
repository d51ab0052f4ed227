#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::csv_import {

/// `plugins.config.csv_import` of the daemon.
struct PluginConfig {
  std::vector<std::string> allowed_dirs;  ///< files are read only below these; none: no file may be read
  std::int64_t ledger_days = 30;  ///< so long after its last chunk a task can be resumed; then its ledger rows go
  std::string rejects_dir;        ///< where rejects go; empty: max_bad_records must be 0
};

/// Parses and checks it; throws kInvalidConfig with one sentence that names the key.
[[nodiscard]] PluginConfig parseConfig(std::string_view json);

}  // namespace disttask::csv_import
