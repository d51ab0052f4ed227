#include "task_rows.hpp"

#include "disttask/base/error.hpp"
#include "disttask/proto/row_error.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace disttask::storage::mysql {

namespace {

using sqlclient::Result;

constexpr std::array<std::pair<std::string_view, std::int64_t>, 3> kTypeCodes{
    {{"Example", 1}, {"ImportInto", 2}, {"backfill", 3}}};

std::int32_t getInt32(const Result& row, std::uint32_t column) {
  return static_cast<std::int32_t>(row.getInt(column));
}

/// NULL is what rows have that never entered a step.
proto::Step getStep(const Result& row, std::uint32_t column) {
  return row.isNull(column) ? proto::kStepInit : proto::Step(getInt32(row, column));
}

/// The task's id from the decimal text in `task_key`; 0 for anything else.
proto::TaskId getTaskKey(const Result& row, std::uint32_t column) {
  const auto text = row.getString(column);
  std::int64_t id = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), id);
  return proto::TaskId(failure == std::errc{} && end == text.data() + text.size() ? id : 0);
}

[[noreturn]] void throwUnknownState(std::string_view what, std::int64_t id, const std::string& state) {
  throw Exception(
      ErrorCode::kUnsupported,
      std::string(what) + " " + std::to_string(id) + " is in state '" + state + "', which this version does not know"
  );
}

void readBase(const Result& row, proto::TaskBase& task) {
  task.id = proto::TaskId(row.getInt(1));
  task.key = row.getString(2);
  task.type = row.getString(3);
  const auto state = row.getString(4);
  const auto known = proto::parseTaskState(state);
  if (!known) throwUnknownState("task", task.id.value(), state);
  task.state = *known;
  task.step = getStep(row, 5);
  task.priority = getInt32(row, 6);
  task.slots = getInt32(row, 7);
  task.target_scope = row.getString(8);
  task.max_nodes = getInt32(row, 9);
  task.extra = proto::parseExtraParams(row.getString(10));
  task.create_time = row.getInt(11);
}

}  // namespace

proto::TaskBase readTaskBase(const Result& row) {
  proto::TaskBase task;
  readBase(row, task);
  return task;
}

proto::Task readTask(const Result& row) {
  proto::Task task;
  readBase(row, task);
  task.meta = row.getString(12);
  task.error = proto::decodeRowError(row.getString(13));
  task.start_time = row.getInt(14);
  task.state_update_time = row.getInt(15);
  task.end_time = row.getInt(16);
  return task;
}

proto::Subtask readSubtask(const Result& row) {
  proto::Subtask subtask;
  subtask.id = proto::SubtaskId(row.getInt(1));
  subtask.step = getStep(row, 2);
  subtask.task_id = getTaskKey(row, 3);
  subtask.token = proto::RunToken(row.getInt(4));
  subtask.type = typeNameOf(row.getInt(5));
  subtask.exec_id = row.getString(6);
  const auto state = row.getString(7);
  const auto known = proto::parseSubtaskState(state);
  if (!known) throwUnknownState("subtask", subtask.id.value(), state);
  subtask.state = *known;
  subtask.slots = getInt32(row, 8);
  subtask.create_time = row.getInt(9);
  subtask.start_time = row.getInt(10);
  subtask.state_update_time = row.getInt(11);
  subtask.end_time = row.getInt(12);
  subtask.ordinal = getInt32(row, 13);
  subtask.meta = row.getString(14);
  subtask.error = proto::decodeRowError(row.getString(15));
  subtask.summary = row.getString(16);
  return subtask;
}

std::int64_t typeCodeOf(std::string_view type) noexcept {
  for (const auto& [name, code] : kTypeCodes) {
    if (name == type) return code;
  }
  return 0;
}

std::string_view typeNameOf(std::int64_t code) noexcept {
  for (const auto& [name, known] : kTypeCodes) {
    if (known == code) return name;
  }
  return {};
}

sqlclient::Value RowState::tokenBind() const {
  if (token_is_null) return nullptr;
  return token.value();
}

RowState readRowState(const Result& row) {
  RowState state;
  state.task_id = getTaskKey(row, 1);
  state.step = getStep(row, 2);
  state.ordinal = getInt32(row, 3);
  state.exec_id = row.getString(4);
  state.state = proto::parseSubtaskState(row.getString(5));
  state.token = proto::RunToken(row.getInt(6));
  state.token_is_null = row.isNull(6);
  return state;
}

std::optional<RowState> queryRowState(
    sqlclient::Connection& connection, const sqlclient::Sql& query, proto::SubtaskId id
) {
  auto rows = connection.query(query, {id.value()});
  if (!rows.next()) return std::nullopt;
  return readRowState(rows);
}

}  // namespace disttask::storage::mysql
