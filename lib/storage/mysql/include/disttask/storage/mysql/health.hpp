#pragma once
#include "disttask/proto/task.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/storage/mysql/grants.hpp"
#include "disttask/storage/plan_table.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace disttask::storage::mysql {

class StoreContext;

/// The server as this session sees it.
struct ServerHealth {
  std::string server;              ///< kind and version
  std::string cipher;              ///< of this session; empty = not encrypted
  bool is_local = false;           ///< by a socket or over the loopback: nobody can listen
  bool is_read_only = false;       ///< takes no writes of accounts like ours
  std::int64_t skew_ms = 0;        ///< the store's clock minus this host's
  std::int64_t skew_error_ms = 0;  ///< it may be wrong by so much: half of the round trip
};

/// A right that the account of this session lacks on a table of ours.
struct MissingRight {
  std::string table;
  std::string right;    ///< such as "update"
  std::string message;  ///< the server's
};

/// Subtasks that wait or run on a node that is not alive.
struct RowsOfNode {
  proto::ExecId exec_id;
  bool is_known = false;     ///< it has a node row (with life 0)
  std::int64_t pending = 0;  ///< at most `limit` are counted
  std::int64_t running = 0;
};

/// An unfinished task, and what it stands on.
struct TaskHealth {
  proto::TaskBase task;
  std::int64_t state_age_s = 0;  ///< since its state, or its step, last changed; by the store
  bool has_active_rows = false;  ///< pending or running ones, of any step
  bool has_paused_rows = false;  ///< of its step
};

/// A plan that is not complete.
struct PlanHealth {
  TaskId task_id;
  std::string task_key;  ///< empty: the task is not live
  std::string task_state;
  PlanKind kind = PlanKind::kStep;
  ExecId planner;
  bool is_planner_alive = false;
  bool failed = false;
  std::string error;
  std::int64_t age_s = 0;  ///< since the row was made; by the store
};

/// Rows of a task that has ended or is not there, and that are pending or running all the same.
struct LostRows {
  std::string task_key;  ///< as in the rows: the task's id as text
  std::string state;     ///< of the task; empty: there is none
};

/// What should not last; each list has at most `limit` entries.
struct StuckStates {
  std::vector<TaskHealth> tasks;  ///< all unfinished ones
  std::vector<RowsOfNode> dead_holders;
  std::vector<PlanHealth> plans;
  std::vector<LostRows> lost_rows;
  std::vector<std::pair<std::string, std::int64_t>>
      unknown_states;              ///< states of tasks that this program does not know
  std::int64_t left_attempts = 0;  ///< side rows of tasks that are not live
};

/// A subtask that runs on a node now.
struct RunOnNode {
  proto::SubtaskId id;
  TaskId task_id;
  std::string task_key;  ///< the name that its submitter chose; empty: the task is not live
  proto::Step step;
  std::int32_t ordinal = 0;
  std::int32_t slots = 0;
  std::int64_t runs_for_s = 0;  ///< by the store
};

/// What a node has to do now.
struct WorkOfNode {
  std::vector<RunOnNode> runs;  ///< at most `limit`
  std::int64_t pending = 0;     ///< at most `limit` are counted
  std::int64_t plans = 0;       ///< that it is working on
};

/// What a task has on a node that waits or runs.
struct TaskOnNode {
  TaskId task_id;
  std::string task_key;  ///< the name that its submitter chose; empty: the task is not live
  std::string state;     ///< of the task; empty: it is not live
  std::string scope;     ///< of the task
  std::int64_t pending = 0;
  std::int64_t running = 0;
};

/// Live rows of a task that name a node, ended ones among them: a node is not forgotten while there are any.
struct RowsNamingNode {
  TaskOnNode task;  ///< its `pending` and `running` are rows, too
  std::int64_t paused = 0;
  std::int64_t ended = 0;
  std::int64_t task_ended_at = 0;  ///< by the store, in seconds; of an ended task
};

/// A row of dist_framework_meta: beside a live TiDB its own nodes are there, too.
struct RegisteredHost {
  proto::ExecId host;
  std::string role;
  std::int32_t slots = 0;
};

/// Looks whether a store and what is in it are well; for people, not for loops: some of it reads a whole index. Reads
/// only. Any thread.
class Health {
 public:
  explicit Health(StoreContext& context) : context_(context) {}

  /// Throws as a read of a table when the server cannot be asked.
  ServerHealth lookAtServer(const runtime::Call& call);
  /// Asks the server to explain one statement for each right; changes nothing.
  std::vector<MissingRight> findMissingRights(const runtime::Call& call, const std::vector<TableRights>& needed);
  /// Needs the tables of our schema.
  StuckStates findStuckStates(const runtime::Call& call, std::int32_t limit);
  /// Needs the tables of our schema; looks at rows of this node only.
  WorkOfNode lookAtNode(const runtime::Call& call, const ExecId& exec_id, std::int32_t limit);
  /// The same; by task, at most `limit` of them.
  std::vector<TaskOnNode> listTasksOfNode(const runtime::Call& call, const ExecId& exec_id, std::int32_t limit);
  /// The same with ended rows, which take longer: of at most `limit` tasks. Rows in history do not count.
  std::vector<RowsNamingNode> listRowsNaming(const runtime::Call& call, const ExecId& exec_id, std::int32_t limit);
  /// Returns the first `limit` registered hosts by name.
  std::vector<RegisteredHost> listRegistered(const runtime::Call& call, std::int32_t limit);

 private:
  StoreContext& context_;
};

}  // namespace disttask::storage::mysql
