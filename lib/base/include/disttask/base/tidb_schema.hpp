#pragma once
#include <algorithm>
#include <string>
#include <string_view>

namespace disttask {

/// The schema of a live TiDB's own tables, where we run no DDL and serve what TiDB schedules.
inline constexpr std::string_view kTidbSchema = "mysql";

/// True for its name in any case: a TiDB takes `MySQL` for the same schema, and so do some servers of MySQL.
[[nodiscard]] constexpr bool isTidbSchema(std::string_view name) noexcept {
  return std::equal(name.begin(), name.end(), kTidbSchema.begin(), kTidbSchema.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

/// Returns the name of a schema as it is compared from then on: that of TiDB in small letters, any other unchanged.
[[nodiscard]] inline std::string toSchemaName(std::string_view name) {
  return std::string(isTidbSchema(name) ? kTidbSchema : name);
}

}  // namespace disttask
