#include "plugin_config.hpp"

#include "disttask/plugin_common/json_fields.hpp"

namespace disttask::sql_batch {
namespace {

using plugin_common::fail;

PluginConfig parse(std::string_view text) {
  const Json json = plugin_common::parseObject(text, "the configuration");
  PluginConfig config;
  for (const auto& [key, value] : json.asObject()) {
    if (key == "archive_dirs") {
      config.archive_dirs = plugin_common::directoriesAt(value, key);
    } else if (key == "ledger_days") {
      config.ledger_days = plugin_common::intAt(value, key, 1, 36500);
    } else {
      fail(key + ": no such key; expected archive_dirs, ledger_days");
    }
  }
  return config;
}

}  // namespace

PluginConfig parseConfig(std::string_view json) {
  try {
    return parse(json);
  } catch (const Exception& exception) {
    throw Exception(ErrorCode::kInvalidConfig, "plugins.config.sql_batch." + exception.error().message());
  }
}

}  // namespace disttask::sql_batch
