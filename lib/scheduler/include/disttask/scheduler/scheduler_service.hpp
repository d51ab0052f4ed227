#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/proto/node.hpp"
#include "disttask/runtime/pool.hpp"
#include "disttask/runtime/timers.hpp"
#include "disttask/scheduler/scheduler_settings.hpp"
#include "disttask/storage/node_table.hpp"
#include "disttask/storage/poll_table.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace disttask::scheduler {

/// What the service borrows; all of it outlives the service.
struct SchedulerDeps {
  storage::NodeTable& nodes;
  storage::SchedulerTable& scheduler;
  runtime::Clock& clock;
  runtime::Timers& timers;
  runtime::Pool& pool;    ///< runs the rounds; one thread at a time is used
  proto::ExecId exec_id;  ///< of this node; this process alone has it (design rule 5)
  /// Returns when this node's last lease renewal was confirmed; nothing: none yet. Observations of others count only
  /// while these go on (design rule 3). Called from a round; must be quick.
  std::function<std::optional<runtime::TimePoint>()> last_renewal;
  /// Wakes these nodes early: new rows or plans are theirs. Only a hint; called from a round; must be quick and must
  /// not throw.
  std::function<void(const std::vector<proto::ExecId>&)> nudge;
  /// Lets these followers look at the role now: its lease was renewed, and the sooner that is seen, the sooner the role
  /// is taken if this renewal was the last. Like nudge in all else.
  std::function<void(const std::vector<proto::Node>&)> tell_renewal{};
};

/// How evenly the owner finds the work spread.
struct BalanceFigures {
  std::int64_t skew = 0;  ///< rows that some node has above its share of a running task, or that must leave it, as last
                          ///< counted (every 2 s); the largest of all tasks
  proto::TaskId task;     ///< whose skew that is; 0 = none
  std::int64_t moved = 0;  ///< pending rows moved so far, by this process
};

/// The scheduler role of one daemon (design rules 3, 11, 19, 20). Follows the owner and takes the role when it is free
/// or its lease has run out; as the owner it evicts dead nodes and gives their subtasks away, leads tasks from state to
/// state through plans, and moves pending subtasks to nodes that can run them.
///
/// start, stop, nudge and isOwner may be called by any thread. Each round runs on the pool, one at a time; a failed
/// round is logged and tried again later, a failed task does not stop the others. Cancel: stop() cancels the round that
/// runs, waits for it, and gives the role up.
class SchedulerService {
 public:
  SchedulerService(SchedulerDeps deps, SchedulerSettings settings);
  ~SchedulerService();
  SchedulerService(const SchedulerService&) = delete;
  SchedulerService& operator=(const SchedulerService&) = delete;

  /// Begins with a round at once; nothing when it is not enabled. Once only.
  void start();
  /// Ends the rounds and gives the role up, so that another node has it at once. Idempotent, legal before start.
  void stop();
  /// Notes who holds the role by this poll of the node, so that a follower need not ask for itself; a role that is free
  /// is taken at once. Any thread.
  void takePoll(const storage::NodePoll& seen);
  /// Lets so many tasks run at the same time from the next round on, which comes at once; those that run go on. Any
  /// thread.
  void setMaxTasksAtOnce(std::int32_t max_tasks);
  /// Asks for a round now: a task was submitted, a node has nothing left to do, a plan is complete.
  void nudge();
  /// The owner told this node of a renewal (SchedulerDeps::tell_renewal): as one of few it then looks at all nodes in
  /// its next round, so that it knows their last renewals if the owner renews no more. May be called by any thread.
  void noteTold();
  /// True while this node holds the role and its lease is fresh.
  [[nodiscard]] bool isOwner() const noexcept;
  /// Returns the life under which this node holds the role; nothing: it does not, or its lease is not fresh. For others
  /// that write as the owner: their fence compares it.
  [[nodiscard]] std::optional<proto::Life> ownerLife() const noexcept;
  /// Returns how evenly work is spread, as of the last round as owner; all zero but `moved` when this node is not the
  /// owner. Any thread.
  [[nodiscard]] BalanceFigures balance() const;
  /// Returns how many rounds have ended.
  [[nodiscard]] std::uint64_t numRounds() const;
  /// Runs one round on the calling thread, for tests that lead time by hand; not while started. Returns the delay to
  /// the next one.
  runtime::Duration runRoundForTest();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace disttask::scheduler
