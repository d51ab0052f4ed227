#pragma once
#include "batch_statement.hpp"
#include "throttle_options.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace disttask::sql_batch {

/// Where a DELETE's rows go first: another table, or files.
struct ArchiveOptions {
  std::string connection;  ///< of the table; empty: the task's own
  TableName table;
  std::string file;  ///< path to which each subtask adds its own end; then there is no table
};

/// What is done: fixed once the task is planned.
struct BatchWork {
  std::string connection;
  std::string statement;
  TableName table;
  std::string key = "PRIMARY";  ///< name of a unique index
  std::int64_t subtask_rows = 50'000;
  std::optional<ArchiveOptions> archive;
  bool allow_triggers = false;
  bool allow_cascades = false;
  bool allow_full_scan = false;
  bool dry_run = false;

  [[nodiscard]] Json toJson() const;
};

struct BatchOptions {
  BatchWork work;
  ThrottleOptions throttle;
};

/// Parses and checks a task meta, the statement included; throws kInvalidArgument with one sentence that names the key.
[[nodiscard]] BatchOptions parseOptions(std::string_view meta);
/// Parses what BatchWork::toJson gave.
[[nodiscard]] BatchWork parseWork(std::string_view json);

}  // namespace disttask::sql_batch
