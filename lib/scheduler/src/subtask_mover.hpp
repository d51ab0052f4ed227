#pragma once
#include "disttask/proto/task.hpp"
#include "disttask/scheduler/balancer.hpp"
#include "disttask/scheduler/scheduler_service.hpp"
#include "disttask/storage/scheduler_table.hpp"
#include "round.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace disttask::scheduler {

/// Moves pending subtasks of running tasks: off nodes that can not or may not run them, on from nodes that handed them
/// back, and to nodes that have nothing left (design rules 6, 11, 24). Running rows never change their node. A round
/// sees the nodes as they were at its begin, so counting and balancing take only a part of a second of it: the tasks
/// that are left begin the next one. Used by one round at a time; store failures and kLost pass through.
class SubtaskMover {
 public:
  explicit SubtaskMover(storage::SchedulerTable& table) : table_(table) {}

  /// Begins a round, and forgets what is known of tasks that are not among `begun`. One that is paused, modified or
  /// reverted has its runs, and nodes that handed its rows back, as before.
  void begin(const std::set<proto::TaskId>& running, const std::set<proto::TaskId>& begun);
  /// Returns whether anything moved or failed. Once for each running task of a round, in rank order.
  bool run(Round& round, const proto::TaskBase& task);
  /// True when tasks of this round are left to the next one.
  [[nodiscard]] bool hasLeft() const noexcept { return next_first_.has_value(); }
  /// Returns the nodes that had pending or running rows of the task when they were last counted.
  [[nodiscard]] const std::set<proto::ExecId>& holdersOf(proto::TaskId id) const;
  /// Returns the largest skew of all tasks as last counted, and how many rows were moved so far.
  [[nodiscard]] BalanceFigures figures() const;

 private:
  struct Known {
    runtime::TimePoint next_count{};  ///< rows per node are counted again from then on
    runtime::TimePoint may_count{};   ///< and not before, even when somebody asks: counting takes its time
    std::size_t placement = 0;        ///< fingerprint of the nodes at the last count
    std::int32_t max_nodes = 0;       ///< of the task at the last count
    std::int64_t skew = 0;            ///< at the last count, before anything moved
    std::set<proto::ExecId> holders;  ///< nodes that had unfinished rows then
    std::set<proto::ExecId> refused;  ///< nodes that have handed back subtasks of this task
    bool has_logged_no_place = false;
  };
  /// True when it is this task's turn, in a round that still has time for it.
  bool hasTurn(proto::TaskId id);
  bool takeTurn(Round& round, const proto::TaskBase& task, Known& known);
  /// The nodes that get rows of the task, with what they have; `leavers` gets those whose pending rows go elsewhere.
  std::vector<NodeLoad> choose(
      Round& round, const proto::TaskBase& task, Known& known, std::vector<proto::ExecId>& leavers
  );
  bool moveHandedBack(Round& round, const proto::TaskBase& task, Known& known);
  bool moveOff(
      Round& round,
      const proto::TaskBase& task,
      Known& known,
      const std::vector<proto::ExecId>& leavers,
      std::vector<NodeLoad>& receivers
  );
  bool balance(Round& round, const proto::TaskBase& task, const std::vector<NodeLoad>& nodes);
  std::int64_t write(Round& round, const std::vector<storage::SubtaskMove>& moves);

  storage::SchedulerTable& table_;
  std::map<proto::TaskId, Known> known_;
  std::int64_t num_moved_ = 0;
  runtime::Duration spent_{};                // on turns of this round
  std::optional<proto::TaskId> first_;       // tasks before it have had their turn in the last round
  std::optional<proto::TaskId> next_first_;  // the first one that this round has left
};

}  // namespace disttask::scheduler
