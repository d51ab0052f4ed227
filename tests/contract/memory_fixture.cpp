#include "disttask/storage/memory/memory_run_log_table.hpp"
#include "disttask/storage/memory/memory_task_table.hpp"
#include "task_table_fixture.hpp"

namespace disttask::test {

namespace {

class MemoryFixture final : public TaskTableFixture {
 public:
  storage::TaskTable& table() override { return table_; }
  storage::TaskTable& other() override { return other_; }
  storage::TaskTable& shared() override { return shared_; }

  storage::RunLogTable& runLogs() override { return run_logs_; }
  void ageRunLog(SubtaskId id, std::chrono::seconds age) override {
    rows_.change([&](Data& data) { data.run_logs.at(id).written_ms -= age.count() * 1000; });
  }

  TaskId insertTask(const proto::Task& task) override { return rows_.insertTask(task); }
  SubtaskId insertSubtask(const proto::Subtask& subtask) override { return rows_.insertSubtask(subtask); }
  std::optional<proto::Subtask> row(SubtaskId id) override { return rows_.subtask(id); }
  std::string checkpoint(SubtaskId id) override { return rows_.checkpoint(id); }
  AttemptRow attempt(SubtaskId id) override {
    const auto found = rows_.attempt(id);
    std::int64_t now = 0;
    rows_.change([&](Data& data) { now = data.now_ms; });
    return {
        found.abnormal_ends,
        found.ends_alone,
        found.retries,
        found.not_before_ms - now,
        found.last_error,
        {found.handed_back.begin(), found.handed_back.end()}};
  }
  std::optional<MetaRow> meta(const std::string& host) override {
    const auto found = rows_.meta(host);
    if (!found) return std::nullopt;
    return MetaRow{found->role, found->slots};
  }

  void setExecId(SubtaskId id, const std::string& exec_id) override {
    rows_.change([&](Data& data) { data.subtasks.at(id).exec_id = exec_id; });
  }
  void setState(SubtaskId id, SubtaskState state) override {
    rows_.change([&](Data& data) { data.subtasks.at(id).state = state; });
  }
  void setToken(SubtaskId id, std::optional<std::int64_t> token) override {
    rows_.change([&](Data& data) { data.subtasks.at(id).token = proto::RunToken(token.value_or(0)); });
  }
  void setStep(SubtaskId id, std::int32_t step) override {
    rows_.change([&](Data& data) { data.subtasks.at(id).step = proto::Step(step); });
  }
  void setOrdinal(SubtaskId id, std::int32_t ordinal) override {
    rows_.change([&](Data& data) { data.subtasks.at(id).ordinal = ordinal; });
  }
  void setTask(SubtaskId id, TaskId task_id) override {
    rows_.change([&](Data& data) { data.subtasks.at(id).task_id = task_id; });
  }
  void remove(SubtaskId id) override {
    rows_.change([&](Data& data) { data.subtasks.erase(id); });
  }
  void setWait(SubtaskId id, std::int64_t ms_from_now) override {
    rows_.change([&](Data& data) { data.attempts[id].not_before_ms = data.now_ms + ms_from_now; });
  }

 private:
  using Data = storage::MemoryRows::Data;
  storage::MemoryRows rows_;
  storage::MemoryTaskTable table_{rows_};
  storage::MemoryRunLogTable run_logs_{rows_};
  storage::MemoryTaskTable other_{rows_};
  storage::MemoryTaskTable shared_{rows_, true};
};

}  // namespace

std::unique_ptr<TaskTableFixture> makeFixture() {
  return std::make_unique<MemoryFixture>();
}

}  // namespace disttask::test
