#pragma once
#include "archive.hpp"
#include "disttask/plugin_common/watched_session.hpp"

#include <string>
#include <vector>

namespace disttask::sql_batch {

/// How a column goes from one session to another without a change.
struct CopyColumn {
  std::string name;
  std::string read;   ///< the expression that is selected
  std::string write;  ///< the expression that takes the value: "?" or around it
  bool is_double = false;
};

/// Reads the columns of a table that hold values of their own (generated ones do not). Throws kInvalidArgument for a
/// type that cannot be carried over; `as_text`: for a file, times stay as the session shows them.
[[nodiscard]] std::vector<CopyColumn> copyColumns(
    sqlclient::Connection& connection, const TableName& table, bool as_text
);
[[nodiscard]] std::string nameList(const std::vector<CopyColumn>& columns);
/// Returns one value of a row, as it was selected.
[[nodiscard]] sqlclient::Value valueAt(const sqlclient::Result& rows, std::uint32_t column, const CopyColumn& how);

/// A table on the same server: its rows are part of the same transaction.
class LocalTableArchive final : public Archive {
 public:
  LocalTableArchive(const TaskNote& note, std::vector<CopyColumn> columns);
  std::int64_t copy(sqlclient::Connection&, const std::string& condition, SegmentProgress&) override;

 private:
  const TaskNote& note_;
  const BatchStatement statement_;
  const std::vector<CopyColumn> columns_;
};

/// A table on another server: its own transaction ends first. A row that is there already is written over.
class RemoteTableArchive final : public Archive {
 public:
  RemoteTableArchive(
      const sdk::Host& host, plugin_common::Sessions& sessions, const TaskNote& note, std::vector<CopyColumn> columns
  );
  std::int64_t copy(sqlclient::Connection&, const std::string& condition, SegmentProgress&) override;

 private:
  void write(sqlclient::Connection& to, const std::vector<sqlclient::Values>& rows);

  const sdk::Host host_;
  plugin_common::Sessions& sessions_;
  const TaskNote& note_;
  const BatchStatement statement_;
  const std::vector<CopyColumn> columns_;
};

}  // namespace disttask::sql_batch
