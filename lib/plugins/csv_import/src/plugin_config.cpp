#include "plugin_config.hpp"

#include "disttask/base/error.hpp"
#include "json_fields.hpp"

namespace disttask::csv_import {
namespace {

std::string directoryAt(const Json& value, const std::string& where) {
  std::string path = nonEmptyTextAt(value, where);
  if (path[0] != '/') fail(where + ": expected an absolute path, found '" + path + "'");
  return path;
}

PluginConfig parse(std::string_view text) {
  const Json json = parseObject(text, "the configuration");
  PluginConfig config;
  for (const auto& [key, value] : json.asObject()) {
    if (key == "allowed_dirs") {
      if (!value.isArray())
        fail("allowed_dirs: expected a list of directories, found " + std::string(value.kindName()));
      for (const Json& item : value.asArray()) {
        config.allowed_dirs.push_back(
            directoryAt(item, "allowed_dirs[" + std::to_string(config.allowed_dirs.size()) + "]")
        );
      }
    } else if (key == "rejects_dir") {
      config.rejects_dir = directoryAt(value, key);
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
