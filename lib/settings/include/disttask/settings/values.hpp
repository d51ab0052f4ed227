#pragma once
#include "disttask/base/json.hpp"
#include "disttask/settings/key_table.hpp"
#include "disttask/settings/loader.hpp"
#include "disttask/settings/settings.hpp"

#include <string>
#include <vector>

namespace disttask::settings {

/// One value of settings under its key.
struct SettingValue {
  std::vector<std::string> path;  ///< such as {node, slots}
  const Key* key = nullptr;       ///< of the table; never null
  Json value;                     ///< lengths of time and sizes as texts with their unit
  [[nodiscard]] std::string name() const;
};

/// Returns all that settings say, defaults included, in the order of the table; what is not set at all is left out. No
/// password, but what plugins get is there as it is: show it through `redacted` only. Any thread.
[[nodiscard]] std::vector<SettingValue> valuesOf(const Settings& settings);
/// Returns a value without secrets: members whose name speaks of one are replaced by "(not shown)".
[[nodiscard]] Json redacted(const Json& value);
/// Writes one value as YAML on one line, without secrets.
[[nodiscard]] std::string shownValue(const SettingValue& value);

/// Writes settings as YAML, defaults included, secrets left out; what parseSettings reads gives the same settings.
[[nodiscard]] std::string dumpSettings(const Settings& settings);

/// A key whose value differs between two settings; a side without it has a null value.
struct SettingChange {
  SettingValue before;
  SettingValue after;
  /// Returns the side that has a value.
  [[nodiscard]] const SettingValue& any() const { return after.key != nullptr ? after : before; }
};
[[nodiscard]] std::vector<SettingChange> changesOf(const Settings& before, const Settings& after);

/// Says where a value comes from: `FILE:LINE`, `default`, or in words what the default depends on.
[[nodiscard]] std::string originOf(const SettingsRead& read, const SettingValue& value);

}  // namespace disttask::settings
