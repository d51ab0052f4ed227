#include "disttask/storage/history_table.hpp"

#include "disttask/base/failpoint.hpp"
#include "factories.hpp"
#include "owner_fence.hpp"
#include "store_context.hpp"

#include "statements/event.hpp"
#include "statements/history.hpp"
#include "statements/plan.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <map>
#include <optional>

namespace disttask::storage::mysql {

namespace {

constexpr std::int64_t kMaxBytes = std::int64_t{1} << 20;

std::int64_t secondsOf(runtime::Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

/// Ids as binds, filled up with the last one to a power of two, so that few texts are prepared.
sqlclient::Values bindsOf(const std::vector<std::int64_t>& ids) {
  const auto count = std::bit_ceil(ids.size());
  sqlclient::Values values;
  values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) values.emplace_back(ids[std::min(i, ids.size() - 1)]);
  return values;
}

bool hasRow(Connection& connection, const sqlclient::Sql& sql, const sqlclient::Values& values) {
  auto rows = connection.query(sql, values);
  return rows.next();
}

void expectAll(std::int64_t changed, std::size_t expected, const char* what) {
  if (changed == static_cast<std::int64_t>(expected)) return;
  throw Exception(
      ErrorCode::kStoreConflict,
      std::string(what) + ": " + std::to_string(changed) + " rows instead of " + std::to_string(expected)
  );
}

class MysqlHistoryTable final : public HistoryTable {
 public:
  explicit MysqlHistoryTable(StoreContext& context) : context_(context) {}

  std::vector<EndedTask> findEndedTasks(const Call& call, runtime::Duration age, TaskId after, std::int32_t limit)
      override {
    return context_.read(call, "history.find_ended_tasks", [&](Connection& connection) {
      std::vector<EndedTask> tasks;
      auto rows = connection.query(sql::kEndedTasks, {after.value(), secondsOf(age), std::int64_t{limit}});
      while (rows.next()) {
        tasks.push_back(
            {TaskId(rows.getInt(1)),
             rows.getString(2),
             rows.getString(3),
             proto::Step(static_cast<std::int32_t>(rows.getInt(4)))}
        );
      }
      return tasks;
    });
  }

  bool isAtRest(const Call& call, TaskId id) override {
    return context_.read(call, "history.is_at_rest", [&](Connection& connection) {
      return !hasRow(connection, sql::kActiveOfTask, {proto::taskKeyOf(id)}) &&
             !hasRow(connection, sql::kHasOpenCleanUp, {id.value()});
    });
  }

  std::int64_t moveSubtasks(const Call& call, proto::Life owner, TaskId id, std::int32_t limit) override {
    return context_.inTransaction(call, "history.move_subtasks", [&](Connection& connection) -> std::int64_t {
      fenceOwner(connection, owner);
      if (!hasRow(connection, sql::kEndedTaskLock, {id.value()})) return 0;
      std::vector<std::int64_t> ids;
      {
        auto rows = connection.query(sql::kRestingOfTask, {proto::taskKeyOf(id), std::int64_t{limit}});
        for (std::int64_t bytes = 0; rows.next();) {
          bytes += rows.getInt(2);
          if (!ids.empty() && bytes > kMaxBytes) break;
          ids.push_back(rows.getInt(1));
        }
      }
      if (ids.empty()) return 0;
      std::sort(ids.begin(), ids.end());
      const auto binds = bindsOf(ids);
      expectAll(
          connection.updateDynamic("history.copy_subtasks", sql::copySubtasksText(binds.size()), binds),
          ids.size(),
          "copy of subtasks to history"
      );
      connection.updateDynamic("history.delete_attempts", sql::deleteAttemptsText(binds.size()), binds);
      expectAll(
          connection.updateDynamic("history.delete_subtasks", sql::deleteSubtasksText(binds.size()), binds),
          ids.size(),
          "removal of subtasks that are in history"
      );
      DISTTASK_FAILPOINT("history.before_commit");
      return static_cast<std::int64_t>(ids.size());
    });
  }

  bool moveTask(const Call& call, proto::Life owner, TaskId id) override {
    return context_.inTransaction(call, "history.move_task", [&](Connection& connection) {
      fenceOwner(connection, owner);
      if (!hasRow(connection, sql::kEndedTaskLock, {id.value()})) return false;
      if (hasRow(connection, sql::kAnyOfTask, {proto::taskKeyOf(id)})) return false;
      if (hasRow(connection, sql::kHasOpenCleanUp, {id.value()})) return false;
      expectAll(connection.update(sql::kCopyTask, {id.value()}), 1, "copy of a task to history");
      connection.update(sql::kDeletePlans, {id.value()});
      connection.update(sql::kArchiveEvents, {id.value()});
      connection.update(sql::kDeleteAttempts, {id.value()});
      expectAll(connection.update(sql::kDeleteTask, {id.value()}), 1, "removal of a task that is in history");
      DISTTASK_FAILPOINT("history.before_commit");
      return true;
    });
  }

  std::int64_t forgetSubtasks(
      const Call& call, std::optional<proto::Life> owner, runtime::Duration keep, std::int32_t limit
  ) override {
    if (context_.dialect() != nullptr) {
      throw Exception(
          ErrorCode::kUnsupported,
          "the history of a live TiDB is its own: it deletes subtasks after two weeks by itself"
      );
    }
    std::vector<std::int64_t> ids;
    context_.read(call, "history.old_subtasks", [&](Connection& connection) {
      ids.clear();
      auto rows = connection.query(sql::kOldSubtasks, {secondsOf(keep), std::int64_t{limit}});
      while (rows.next()) ids.push_back(rows.getInt(1));
    });
    if (ids.empty()) return 0;
    std::sort(ids.begin(), ids.end());
    const auto binds = bindsOf(ids);
    return context_.inTransaction(call, "history.forget_subtasks", [&](Connection& connection) {
      if (owner) fenceOwner(connection, *owner);
      return connection.updateDynamic("history.forget_subtasks", sql::forgetSubtasksText(binds.size()), binds);
    });
  }

  std::int64_t forgetEvents(
      const Call& call, std::optional<proto::Life> owner, runtime::Duration keep, std::int32_t limit
  ) override {
    // The oldest of each task come first, so one number per task names them.
    std::map<std::int64_t, std::int64_t> last;
    context_.read(call, "history.old_events", [&](Connection& connection) {
      last.clear();
      auto rows = connection.query(sql::kOldEvents, {secondsOf(keep), std::int64_t{limit}});
      while (rows.next()) last[rows.getInt(1)] = std::max(last[rows.getInt(1)], rows.getInt(2));
    });
    if (last.empty()) return 0;
    return context_.inTransaction(call, "history.forget_events", [&](Connection& connection) {
      if (owner) fenceOwner(connection, *owner);
      std::int64_t deleted = 0;
      for (const auto& [task, seq] : last) deleted += connection.update(sql::kDropEvents, {task, "", seq});
      return deleted;
    });
  }

  std::int64_t forgetAttempts(const Call& call, std::int32_t limit) override {
    std::vector<std::int64_t> ids;
    context_.read(call, "history.left_attempts", [&](Connection& connection) {
      ids.clear();
      auto rows = connection.query(sql::kLeftAttemptIds, {std::int64_t{limit}});
      while (rows.next()) ids.push_back(rows.getInt(1));
    });
    if (ids.empty()) return 0;
    std::sort(ids.begin(), ids.end());
    const auto binds = bindsOf(ids);
    return context_.inTransaction(call, "history.forget_attempts", [&](Connection& connection) {
      return connection.updateDynamic("history.forget_attempts", sql::deleteAttemptsText(binds.size()), binds);
    });
  }

 private:
  StoreContext& context_;
};

}  // namespace

std::unique_ptr<HistoryTable> makeHistoryTable(StoreContext& context) {
  return std::make_unique<MysqlHistoryTable>(context);
}

}  // namespace disttask::storage::mysql
