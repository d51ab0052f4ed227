#pragma once
#include "disttask/proto/subtask.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/sqlclient/connection.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace disttask::storage::mysql {

/// Number of columns of DISTTASK_TASK_BASE_COLUMNS, DISTTASK_TASK_COLUMNS and DISTTASK_SUBTASK_COLUMNS.
inline constexpr std::uint32_t kNumTaskBaseColumns = 11;
inline constexpr std::uint32_t kNumTaskColumns = 16;
inline constexpr std::uint32_t kNumSubtaskColumns = 16;

/// Reads the current row, selected by the column lists of statements/task.hpp from column 1 on. A state that this
/// version does not know throws kUnsupported with the row's id.
[[nodiscard]] proto::TaskBase readTaskBase(const sqlclient::Result& row);
[[nodiscard]] proto::Task readTask(const sqlclient::Result& row);
[[nodiscard]] proto::Subtask readSubtask(const sqlclient::Result& row);

/// Returns the integer that the `type` column of subtasks has for a task type (contract 3.3); 0 for every type that is
/// not DXF's own.
[[nodiscard]] std::int64_t typeCodeOf(std::string_view type) noexcept;
/// Returns the type of such an integer; empty for 0 and unknown ones.
[[nodiscard]] std::string_view typeNameOf(std::int64_t code) noexcept;

/// A subtask row as a guarded write finds it again (design rule 10): sql::kRowById and its kin.
struct RowState {
  proto::TaskId task_id;
  proto::Step step;
  std::int32_t ordinal = 0;
  proto::ExecId exec_id;
  std::optional<proto::SubtaskState> state;  ///< nothing: a text that this version does not know
  proto::RunToken token;                     ///< 0 for NULL
  bool token_is_null = true;

  [[nodiscard]] bool is(proto::SubtaskState wanted) const noexcept { return state == wanted; }
  /// The token as the bind of a `<=>`.
  [[nodiscard]] sqlclient::Value tokenBind() const;
};
[[nodiscard]] RowState readRowState(const sqlclient::Result& row);
/// Runs one of the three queries by id; nothing: there is no row.
[[nodiscard]] std::optional<RowState> queryRowState(
    sqlclient::Connection& connection, const sqlclient::Sql& query, proto::SubtaskId id
);

}  // namespace disttask::storage::mysql
