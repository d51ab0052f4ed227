#pragma once
#include "disttask/proto/task.hpp"
#include "disttask/scheduler/task_decision.hpp"
#include "disttask/storage/scheduler_table.hpp"
#include "round.hpp"

#include <map>
#include <set>
#include <string>

namespace disttask::scheduler {

/// Whether a task may begin something new.
enum class Admission : std::uint8_t {
  kAdmitted,
  kNoPlace,  ///< as many tasks as may be at once have a higher rank
  kNoSlots,  ///< other tasks have the slots
};

/// What a look at a task came to.
struct TaskRound {
  proto::TaskState state = proto::TaskState::kPending;  ///< after the round
  bool takes_place = false;  ///< counts among the tasks at once: it does not wait for a node, a type or a place
  bool is_at_work = false;   ///< something goes on: look again soon
  bool changed = false;      ///< it looks otherwise than in the round before
};

/// Leads tasks from state to state: reads what `decide` needs and does what it says, until there is nothing more to do
/// now. Used by one round at a time. Store failures and kLost pass through.
class TaskScheduler {
 public:
  explicit TaskScheduler(storage::SchedulerTable& table) : table_(table) {}

  /// `is_noted`: what it looks like, and what it waits for, is compared with the round before, and the latter logged.
  TaskRound run(Round& round, proto::TaskBase task, Admission admission, bool is_noted);
  /// Forgets what was noted of tasks that are not among `ids`.
  void keepOnly(const std::set<proto::TaskId>& ids);

 private:
  TaskView look(Round& round, const proto::TaskBase& task, Admission admission);
  /// Does it; true if the task should be looked at once more in this round.
  bool perform(Round& round, proto::TaskBase& task, const TaskView& view, const TaskDecision& decision);
  /// Rows of other steps than the task's can not be active; one that is all the same keeps the task from its end
  /// (design rule 11).
  bool modify(Round& round, proto::TaskBase& task);
  bool cancelStrays(Round& round, const proto::TaskBase& task);
  bool createPlan(Round& round, const proto::TaskBase& task, storage::PlanKind kind);
  /// Brings the event of the decision's action about; with `clean_up_by` the task's clean-up begins with it.
  bool change(
      Round& round,
      proto::TaskBase& task,
      const TaskDecision& decision,
      const std::optional<proto::ExecId>& clean_up_by = std::nullopt
  );
  /// Ends the task, and wakes who cleans up after it, if its type wants that.
  void end(Round& round, proto::TaskBase& task, const TaskDecision& decision, bool cleans_up);
  void noteWaiting(const proto::TaskBase& task, const TaskDecision& decision);
  bool noteLooks(const proto::TaskBase& task, const TaskView& view);

  storage::SchedulerTable& table_;
  std::map<proto::TaskId, std::string> reasons_;  ///< why it waits, as logged
  std::map<proto::TaskId, std::string> looks_;    ///< as of the last round
};

}  // namespace disttask::scheduler
