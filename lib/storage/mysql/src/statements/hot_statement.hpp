#pragma once
#include "disttask/sqlclient/connection.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace disttask::storage::mysql {

/// Values that exist in the big table on which the plans of hot statements are checked.
struct HotSample {
  std::string exec_id;  ///< a node with thousands of pending rows
  std::int64_t task_id = 0;
  std::string task_key;  ///< decimal text of task_id
  std::int64_t step = 0;
  std::int64_t ordinal = 0;
  std::int64_t subtask_id = 0;
  std::vector<std::int64_t> subtask_ids;  ///< 64, ascending
};

/// A statement that a loop sends again and again, with sample binds and the access path that it must take. Each
/// statements header lists its own by a function `std::vector<HotStatement> hot…Statements(const HotSample&)`;
/// tests/db/explain looks at all of them.
struct HotStatement {
  std::string name;
  std::string text;
  sqlclient::Values values;
  std::string table;         ///< name or alias in EXPLAIN; the other tables must not be scanned either
  std::string index;         ///< key that EXPLAIN must show for `table`, "PRIMARY" for the clustered one
  bool sorts = false;        ///< a sort of the few rows found is meant; otherwise "Using filesort" is a failure
  std::string scanned = {};  ///< a table that is meant to be read whole: there are few rows of it
};

}  // namespace disttask::storage::mysql
