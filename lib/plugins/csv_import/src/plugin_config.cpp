#include "plugin_config.hpp"

#include "disttask/base/error.hpp"
#include "json_fields.hpp"

namespace disttask::csv_import {
namespace {

PluginConfig parse(std::string_view text) {
  const Json json = parseObject(text, "the configuration");
  PluginConfig config;
  for (const auto& [key, value] : json.asObject()) {
    if (key == "allowed_dirs") {
      config.allowed_dirs = plugin_common::directoriesAt(value, key);
    } else if (key == "rejects_dir") {
      config.rejects_dir = plugin_common::directoryAt(value, key);
    } else if (key == "ledger_days") {
      config.ledger_days = intAt(value, key, 1, 36500);
    } else {
      fail(key + ": no such key; expected allowed_dirs, ledger_days, rejects_dir");
    }
  }
  return config;
}

}  // namespace

PluginConfig parseConfig(std::string_view json) {
  try {
    return parse(json);
  } catch (const Exception& exception) {
    throw Exception(ErrorCode::kInvalidConfig, "plugins.config.csv_import." + exception.error().message());
  }
}

}  // namespace disttask::csv_import
