#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/proto/step.hpp"
#include "disttask/runtime/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace disttask::storage {

/// A task that has ended, as lines of the log name it.
struct EndedTask {
  proto::TaskId id;
  std::string key;
  std::string type;
  proto::Step step = proto::kStepInit;
};

/// What the owner of the scheduler role moves to history and clears away (design rules 22 and 25). Same threading and
/// failure contract as TaskTable.
///
/// Each write is one transaction of at most `limit` rows or 1 MiB that begins with the owner's fence; when the role is
/// gone nothing is written and Exception(kLost) is thrown. A write whose commit was not answered may simply be
/// repeated.
class HistoryTable {
 public:
  virtual ~HistoryTable() = default;

  /// Returns tasks that ended (succeed, failed, reverted) at least `age` ago by the store's clock, those with the
  /// lowest ids above `after` first, at most `limit`.
  virtual std::vector<EndedTask> findEndedTasks(
      const runtime::Call& call, runtime::Duration age, proto::TaskId after, std::int32_t limit
  ) = 0;
  /// True if no subtask of the task is pending or running. Looks at all of the task's index entries: ask once.
  /// Also false while the type's clean-up hook has not run.
  virtual bool isAtRest(const runtime::Call& call, proto::TaskId id) = 0;
  /// Moves subtasks of an ended task that are at rest, with their side rows of attempts; returns how many. 0: there are
  /// none, or the task has not ended.
  virtual std::int64_t moveSubtasks(
      const runtime::Call& call, proto::Life owner, proto::TaskId id, std::int32_t limit
  ) = 0;
  /// Moves the row of an ended task that has no subtasks any more, and deletes its plans and what is left of its
  /// attempts; its events stay, marked. False: it has subtasks, has not ended, its clean-up hook has not run, or it is
  /// gone.
  virtual bool moveTask(const runtime::Call& call, proto::Life owner, proto::TaskId id) = 0;
  /// Deletes subtasks that have been in history for longer than `keep`, oldest first; returns how many. Rows of tasks
  /// stay for ever: they are what refuses a key that was used before. Without an owner nothing is fenced: a person's
  /// own deletion, which is harmless beside the owner's.
  virtual std::int64_t forgetSubtasks(
      const runtime::Call& call, std::optional<proto::Life> owner, runtime::Duration keep, std::int32_t limit
  ) = 0;
  /// Deletes events of tasks that have been in history for longer than `keep`, oldest first; returns how many. Without
  /// an owner as above.
  virtual std::int64_t forgetEvents(
      const runtime::Call& call, std::optional<proto::Life> owner, runtime::Duration keep, std::int32_t limit
  ) = 0;
  /// Deletes side rows of attempts whose task is not live any more, at most `limit`; returns how many. The owner's move
  /// leaves none; beside a live TiDB, which moves tasks by itself, somebody has to ask for it. Not fenced: they are of
  /// no use to anybody.
  virtual std::int64_t forgetAttempts(const runtime::Call& call, std::int32_t limit) = 0;
};

}  // namespace disttask::storage
