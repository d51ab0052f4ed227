#pragma once
#include "disttask/storage/run_log_table.hpp"
#include "disttask/storage/task_table.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace disttask::test {

/// What the side row of attempts says; all zero when there is none.
struct AttemptRow {
  std::int32_t abnormal_ends = 0;
  std::int32_t ends_alone = 0;
  std::int32_t retries = 0;
  std::int64_t wait_ms = 0;  ///< from now until the row may be picked; about, negative when past
  std::string last_error;    ///< message text
  std::vector<std::string> handed_back;
};

struct MetaRow {
  std::string role;
  std::int32_t cpu_count = 0;
};

/// A store as the contract suite needs it: TaskTable objects of several processes, and the rows behind their backs.
class TaskTableFixture {
 public:
  virtual ~TaskTableFixture() = default;

  virtual storage::TaskTable& table() = 0;   ///< of this process
  virtual storage::TaskTable& other() = 0;   ///< of another process: knows nothing of the runs of table()
  virtual storage::TaskTable& shared() = 0;  ///< of a process that works beside a live DXF

  virtual storage::RunLogTable& runLogs() = 0;
  /// Makes the lines of a subtask look as if they were written so long ago.
  virtual void ageRunLog(proto::SubtaskId id, std::chrono::seconds age) = 0;

  /// id 0 draws one.
  virtual proto::TaskId insertTask(const proto::Task& task) = 0;
  virtual proto::SubtaskId insertSubtask(const proto::Subtask& subtask) = 0;
  virtual std::optional<proto::Subtask> row(proto::SubtaskId id) = 0;
  virtual std::string checkpoint(proto::SubtaskId id) = 0;
  virtual AttemptRow attempt(proto::SubtaskId id) = 0;
  virtual std::optional<MetaRow> meta(const std::string& host) = 0;

  virtual void setExecId(proto::SubtaskId id, const std::string& exec_id) = 0;
  virtual void setState(proto::SubtaskId id, proto::SubtaskState state) = 0;
  virtual void setToken(proto::SubtaskId id, std::optional<std::int64_t> token) = 0;
  virtual void setStep(proto::SubtaskId id, std::int32_t step) = 0;
  virtual void setOrdinal(proto::SubtaskId id, std::int32_t ordinal) = 0;
  virtual void setTask(proto::SubtaskId id, proto::TaskId task_id) = 0;
  virtual void remove(proto::SubtaskId id) = 0;
  virtual void setWait(proto::SubtaskId id, std::int64_t ms_from_now) = 0;
};

/// Makes an empty store; each binary of the suite has its own.
std::unique_ptr<TaskTableFixture> makeFixture();

using proto::SubtaskId;
using proto::SubtaskState;
using proto::TaskId;
using proto::TaskState;
using proto::TransitionOutcome;
using storage::Call;
using storage::OrphanOutcome;

inline const std::string kNode = "node-a:4000";
inline const std::string kOtherNode = "node-b:4000";
inline constexpr proto::Step kOne{1};
inline constexpr proto::Step kTwo{2};

/// What most cases start from: one running task in step one.
class Rows {
 public:
  Rows() : fixture_(makeFixture()), task_id_(addTask("first", TaskState::kRunning)) {}

  TaskTableFixture* operator->() { return fixture_.get(); }
  storage::TaskTable& table() { return fixture_->table(); }
  storage::TaskTable& other() { return fixture_->other(); }
  [[nodiscard]] TaskId taskId() const { return task_id_; }

  TaskId addTask(const std::string& key, TaskState state, std::int64_t id = 0) {
    proto::Task task;
    task.id = TaskId(id);
    task.key = key;
    task.type = "example";
    task.state = state;
    task.step = kOne;
    task.meta = "{}";
    task.slots = 4;
    return fixture_->insertTask(task);
  }
  SubtaskId add(
      std::int32_t ordinal,
      SubtaskState state = SubtaskState::kPending,
      const std::string& exec_id = kNode,
      proto::Step step = kOne,
      std::optional<TaskId> task_id = {}
  ) {
    proto::Subtask subtask;
    subtask.task_id = task_id.value_or(task_id_);
    subtask.step = step;
    subtask.ordinal = ordinal;
    subtask.exec_id = exec_id;
    subtask.state = state;
    subtask.slots = 4;
    subtask.meta = "meta " + std::to_string(ordinal);
    subtask.summary = "{}";
    return fixture_->insertSubtask(subtask);
  }
  /// A running row that another process began: with this token.
  SubtaskId addRunning(std::int32_t ordinal, std::optional<std::int64_t> token, const std::string& exec_id = kNode) {
    const auto id = add(ordinal, SubtaskState::kRunning, exec_id);
    fixture_->setToken(id, token);
    return id;
  }
  /// Reads the row as a process does before it starts it.
  proto::SubtaskBase read(SubtaskId id) { return fixture_->row(id).value(); }
  SubtaskState state(SubtaskId id) { return fixture_->row(id).value().state; }
  /// Adds a pending row and starts it by table().
  SubtaskId start(std::int32_t ordinal, bool idempotent = true) {
    const auto id = add(ordinal);
    REQUIRE(table().startSubtask({}, read(id), kNode, idempotent) == TransitionOutcome::kApplied);
    return id;
  }
  /// Returns the ordinals of the rows that table() would pick.
  std::vector<std::int32_t> picked(
      const storage::SubtaskStates& states = {SubtaskState::kPending}, std::int32_t limit = 0
  ) {
    std::vector<std::int32_t> ordinals;
    for (const auto& row : table().getSubtasksByExecIdAndStepAndStates({}, kNode, task_id_, kOne, states, limit)) {
      ordinals.push_back(row.ordinal);
    }
    return ordinals;
  }

 private:
  std::unique_ptr<TaskTableFixture> fixture_;
  TaskId task_id_;
};

/// A run token of some other process.
inline constexpr std::int64_t kForeignIdempotent = 4611686018427387907;  // above 2^53, odd
inline constexpr std::int64_t kForeignOnce = 4611686018427387906;        // its neighbour, even

}  // namespace disttask::test

namespace Catch {
template <>
struct StringMaker<disttask::proto::TransitionOutcome> {
  static std::string convert(disttask::proto::TransitionOutcome value) { return std::string(toString(value)); }
};
template <>
struct StringMaker<disttask::proto::SubtaskState> {
  static std::string convert(disttask::proto::SubtaskState value) { return std::string(toString(value)); }
};
}  // namespace Catch
