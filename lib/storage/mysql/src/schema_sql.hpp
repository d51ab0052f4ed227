#pragma once
#include "statements/schema.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace disttask::storage::mysql {

/// Returns the name in backticks.
[[nodiscard]] std::string quoteName(std::string_view name);
/// Returns "`schema`.`table`" or "`table`" for NAME or SCHEMA.NAME.
[[nodiscard]] std::string quoteTableName(std::string_view table);

[[nodiscard]] std::string createTableSql(const statements::TableDefinition& table, std::string_view quoted_name);
[[nodiscard]] std::string createIndexSql(std::string_view table, const statements::IndexDefinition& index);
[[nodiscard]] std::string createDatabaseSql(std::string_view schema);
/// Returns the schema with these tables as a script.
[[nodiscard]] std::string dumpSql(
    std::string_view schema, std::int32_t version, const std::vector<statements::TableDefinition>& tables
);

}  // namespace disttask::storage::mysql
