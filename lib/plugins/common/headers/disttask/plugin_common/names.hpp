#pragma once
#include <cstdint>
#include <string>

namespace disttask::plugin_common {

/// Returns `name` as SQL quotes it.
[[nodiscard]] std::string quoted(const std::string& name);
/// Returns `schema`.`table`.
[[nodiscard]] std::string quoted(const std::string& schema, const std::string& table);
/// Quotes what is written SCHEMA.TABLE, or TABLE.
[[nodiscard]] std::string quotedTable(const std::string& table);
/// Returns the statement that ends another session of the same user.
[[nodiscard]] std::string killSession(std::int64_t connection_id);

}  // namespace disttask::plugin_common
