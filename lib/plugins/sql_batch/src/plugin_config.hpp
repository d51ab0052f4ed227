#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::sql_batch {

/// `plugins.config.sql_batch` of the daemon.
struct PluginConfig {
  std::vector<std::string> archive_dirs;  ///< archives are written only below these; none: no archive in files
  std::int64_t ledger_days = 30;          ///< so long after its last chunk the rows of an ended task stay in the ledger
};

/// Parses and checks it; throws kInvalidConfig with one sentence that names the key.
[[nodiscard]] PluginConfig parseConfig(std::string_view json);

}  // namespace disttask::sql_batch
