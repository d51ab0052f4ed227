#pragma once
#include "disttask/executor/lease.hpp"
#include "disttask/executor/node_services.hpp"
#include "disttask/executor/registry.hpp"
#include "disttask/executor/settings.hpp"
#include "disttask/executor/task_executor.hpp"
#include "disttask/runtime/pool.hpp"
#include "disttask/runtime/timers.hpp"
#include "disttask/storage/poll_table.hpp"
#include "disttask/storage/run_log_table.hpp"
#include "disttask/storage/task_table.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace disttask::executor {

/// What a Manager works with; everything outlives it.
struct ManagerParts {
  storage::TaskTable& table;
  TaskExecutorRegistry& registry;
  runtime::Clock& clock;
  runtime::Timers& timers;
  runtime::Pool& ctl;  ///< polls run here: short store calls
  runtime::Pool&
      work;  ///< task executors run here: one thread each, so it needs one thread more than the node has slots
  Lease& lease;
  /// Set: the Manager does not poll by itself; takePoll is called with each poll of the node, and this asks for one
  /// soon. Called from any thread, also with the node's last runs ending; returns at once.
  std::function<void()> ask_for_poll = {};
  /// Set: keeps what runs logged last.
  storage::RunLogTable* run_logs = nullptr;
};

/// Watches the tasks of this node and runs their task executors (DXF's Manager; contract 4.2, stricter). Any thread may
/// call; the polls run one at a time on the ctl pool. Owns the task executors and the node's services.
class Manager {
 public:
  Manager(const ExecutorSettings& settings, const ManagerParts& parts);
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  /// As cancel, then waits for all runs. A run that ignores its cancel blocks here: look at what stop returned before.
  ~Manager();

  /// Writes this node's row of dist_framework_meta; an existing row gets our role. Throws store errors.
  void initMeta();
  /// Puts the row back if it is missing; an existing one keeps its role. Done at each poll as well.
  void recoverMeta();
  /// Begins to poll, or to heed takePoll. Once only.
  void start();
  /// Goes on with other slots, scope, memory and intervals (LiveSettings); the rest of `settings` is not looked at.
  /// Runs keep what they have: with fewer slots than they use, nothing begins until enough have returned. What the
  /// node's row says follows with the next poll (slots) and NodeLease::describe (all).
  void reconfigure(const ExecutorSettings& settings);
  /// Does what this answer calls for: puts a missing row of dist_framework_meta back, and looks at the tasks with rows
  /// here. Returns whether there is work, so that the next poll should come soon. One call at a time; for a Manager
  /// with `ask_for_poll`.
  bool takePoll(const storage::NodePoll& seen);
  /// There may be news: polls at once, and lets the task executors look too. A hint.
  void nudge();
  /// Vanishes, as a killed process does: runs are cancelled, and from this moment on nothing is written. Returns at
  /// once.
  void cancel();
  /// Lets this node run empty, whatever is wanted of it: from here on nothing begins, what runs ends by itself. Returns
  /// at once; for good.
  void drain();
  /// Waits until no task has an executor here, at most `limit`; returns whether that came.
  [[nodiscard]] bool waitUntilEmpty(runtime::Duration limit);
  /// Stops gracefully (design rule 13): no new work; idempotent runs are cancelled at once, others at the stop
  /// deadline; with the runs joined, running rows that may run again are given back, others fail. Returns how many runs
  /// have ignored the cancel: 0 = all is done; otherwise the process has to end without them. Idempotent.
  std::size_t stop();

  /// Cancels all runs because the lease is at risk or lost (design rule 4); polls go on, and runs begin again when the
  /// lease allows.
  void interruptRuns(runtime::CancelCause cause);
  /// Returns how many runs of subtasks have not returned.
  [[nodiscard]] std::int64_t numLiveRuns() const noexcept;
  /// Returns up to which modification all tasks here run with what was asked of them (design rule 25). Any thread.
  [[nodiscard]] std::int64_t appliedModifications() const noexcept;
  /// Returns how many polls have ended.
  [[nodiscard]] std::uint64_t numPolls() const noexcept;
  /// Moves with each poll and each store call of a poll: who renews the lease looks whether it does (design rule 2).
  [[nodiscard]] std::uint64_t progress() const noexcept;
  /// Moves with each batch of starts and finishes that was tried; nothing while there is none to write (design rule 2).
  [[nodiscard]] std::optional<std::uint64_t> writerProgress() const;
  /// Returns the tasks that have a task executor here now.
  [[nodiscard]] std::vector<proto::TaskId> tasks() const;
  /// Returns what each task executor here does now, by task id. Any thread.
  [[nodiscard]] std::vector<std::pair<proto::TaskBase, TaskActivity>> activities() const;
  [[nodiscard]] NodeServices& node() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace disttask::executor
