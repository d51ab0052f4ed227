#pragma once
#include "disttask/sqlclient/connection.hpp"

#include "statements/schema.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::storage::mysql {

/// True if the connection's server has this database.
[[nodiscard]] bool hasDatabase(sqlclient::Connection& connection, const std::string& schema);
/// True if the connection's selected database has this table.
[[nodiscard]] bool hasTable(sqlclient::Connection& connection, std::string_view table);

/// What one table lacks or has otherwise than defined.
struct TableFindings {
  bool missing = false;
  std::vector<const statements::IndexDefinition*> missing_indexes;
  std::vector<std::string> problems;     ///< sentences; the two above included
  std::vector<std::string> differences;  ///< those of `problems` that an installation does not mend
};

/// Compares a table with information_schema. Extra indexes are no finding; extra columns are: moves to history copy by
/// position.
[[nodiscard]] TableFindings inspectTable(
    sqlclient::Connection& connection, const std::string& schema, const statements::TableDefinition& table
);

}  // namespace disttask::storage::mysql
