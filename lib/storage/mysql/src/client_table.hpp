#pragma once
#include "disttask/storage/client_table.hpp"
#include "store_context.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::storage::mysql {

/// ClientTable on a MySQL-compatible server. Any thread; holds no connection between calls. Submitting stands in
/// client_submit.cpp, changes in client_changes.cpp.
class MySqlClientTable final : public ClientTable {
 public:
  explicit MySqlClientTable(StoreContext& context) : context_(context) {}

  SubmitResult submitTask(const Call& call, const TaskRequest& request) override;
  std::optional<proto::Task> findTask(const Call& call, TaskId id) override;
  std::optional<proto::Task> findTaskByKey(const Call& call, const std::string& key) override;
  std::vector<proto::Task> listTasks(const Call& call, const TaskFilter& filter) override;
  std::vector<StepProgress> getProgress(const Call& call, TaskId id) override;
  std::vector<proto::Subtask> listSubtasks(const Call& call, TaskId id, std::optional<Step> step, std::int32_t limit)
      override;
  bool cancelTask(const Call& call, TaskId id) override;
  bool pauseTask(const Call& call, TaskId id) override;
  bool resumeTask(const Call& call, TaskId id) override;
  void modifyTask(const Call& call, TaskId id, const proto::TaskModification& change) override;
  void waitForModification(const Call& call, TaskId id) override;

 private:
  /// Who has a key, and whether by the submit with this token.
  struct KeyOwner {
    TaskId id;
    bool ours = false;
  };
  std::optional<KeyOwner> findOwnerOfKey(const Call& call, const std::string& key, const std::string& token);
  void checkNodes(const Call& call, std::int32_t slots);
  std::optional<proto::Task> findFirst(
      const Call& call, const sqlclient::Sql& live, const sqlclient::Sql& history, const sqlclient::Value& bind
  );
  /// Returns the text of its state, live or in history; throws kNotFound.
  std::string findState(const Call& call, TaskId id);
  /// Sends a change of state until it is applied (nothing is returned) or the task is found in a state that is not one
  /// of `from` (its text). One of `reached` after an unanswered try counts as applied.
  std::optional<std::string> ask(
      const Call& call,
      std::string_view name,
      TaskId id,
      const sqlclient::Sql& update,
      const std::vector<TaskState>& reached,
      const std::vector<TaskState>& from
  );

  StoreContext& context_;
};

}  // namespace disttask::storage::mysql
