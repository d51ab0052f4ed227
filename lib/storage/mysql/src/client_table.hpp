#pragma once
#include "disttask/storage/client_table.hpp"
#include "store_context.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::storage::mysql {

using proto::TaskEvent;

/// Throws kPrecondition: the task is in `state`, which does not allow `event`; `what` is that as "paused".
[[noreturn]] void refuseState(TaskId id, std::string_view state, std::string_view what, TaskEvent event);

/// ClientTable on a MySQL-compatible server. Any thread; holds no connection between calls. Submitting stands in
/// client_submit.cpp, changes in client_changes.cpp, resolutions and events in client_resolve.cpp, one subtask in
/// client_subtask.cpp.
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
  std::optional<proto::Subtask> findSubtask(const Call& call, proto::SubtaskId id) override;
  bool cancelSubtask(const Call& call, proto::SubtaskId id) override;
  bool cancelTask(const Call& call, TaskId id) override;
  bool pauseTask(const Call& call, TaskId id) override;
  bool resumeTask(const Call& call, TaskId id) override;
  void modifyTask(const Call& call, TaskId id, const proto::TaskModification& change) override;
  void waitForModification(const Call& call, TaskId id) override;
  std::int64_t resolveTask(const Call& call, TaskId id, Resolution resolution) override;
  std::vector<EventRecord> listEvents(const Call& call, TaskId id, std::int32_t limit) override;
  std::vector<EventRecord> listNodeEvents(const Call& call, const ExecId& exec_id, std::int32_t limit) override;

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
  /// A task's row while it is locked; an empty state: it is not live.
  struct LockedTask {
    std::string state;
    Step step = proto::kStepInit;
  };
  static LockedTask lockTask(Connection& connection, TaskId id);
  /// Changes the state of a locked row from what was read, with modify_params where given, and writes the event, which
  /// keeps `reason`.
  static void writeChange(
      Connection& connection,
      TaskId id,
      TaskEvent event,
      const std::string& from,
      const std::optional<std::string>& params = std::nullopt,
      const std::string& reason = {}
  );
  /// Brings an event about (nothing is returned), or finds the task in a state in which it is not allowed (its text).
  /// `change`: what goes into modify_params. A state to which the owner leads from the event's counts as applied after
  /// an unanswered try.
  std::optional<std::string> ask(
      const Call& call, TaskId id, TaskEvent event, const proto::TaskModification* change = nullptr
  );
  /// True if the task is being modified in just this way.
  bool isModifying(const Call& call, TaskId id, const proto::TaskModification& change);
  /// One transaction of a resolution: some rows, or when there are none left the task itself.
  enum class Resolve : std::uint8_t { kSome, kAll, kOtherState };
  Resolve resolveSome(const Call& call, TaskId id, Resolution resolution, std::int64_t& changed, std::string& state);

  /// Throws beside a live TiDB: there we write only rows of our own nodes.
  void refuseBesideTiDb(std::string_view what) const;

  std::vector<EventRecord> readEvents(const Call& call, TaskId id, const ExecId& exec_id, std::int32_t limit);

  StoreContext& context_;
};

}  // namespace disttask::storage::mysql
