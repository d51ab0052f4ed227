#pragma once
#include "disttask/proto/task.hpp"
#include "disttask/runtime/clock.hpp"

#include <optional>
#include <string>
#include <vector>

namespace disttask::storage {

using proto::ExecId;
using proto::Step;
using proto::TaskId;
using runtime::Call;

/// What a plan row asks of its planner node.
enum class PlanKind : std::uint8_t {
  kStep,     ///< say which step follows `after_step` and write its subtasks by cursor
  kRevert,   ///< run the type's revert hook
  kCleanUp,  ///< the task has ended: run the type's clean-up hook
};

/// A row of the side table of plans (design rule 20): who plans what, and how far it is.
struct Plan {
  TaskId task_id;
  PlanKind kind = PlanKind::kStep;
  Step after_step;  ///< the step that the task is in; a step number is entered once, so (task, kind, after_step) is
                    ///< unique
  std::optional<Step>
      step;               ///< the step that is planned; nothing until the planner has said; kStepDone = there is none
  ExecId planner;         ///< node that writes the batches
  proto::RunToken token;  ///< fences the planner: drawn anew at each assignment
  std::string cursor;     ///< opaque text of the task type; empty at the start
  std::int32_t next_ordinal = 1;
  bool complete = false;
  bool cleans_up = false;  ///< the task's type has a clean-up hook; known since `step` is
  std::string error;       ///< message of a fatal planning error, or of the last retryable one
  bool failed = false;     ///< `error` is fatal
  std::int32_t retries = 0;
  std::vector<ExecId> handed_back;  ///< nodes that cannot plan it, and have handed it on
};

/// One batch of planned subtasks: at most 1,000 rows or 1 MiB.
struct PlanBatch {
  struct Row {
    std::string meta;
    ExecId exec_id;
  };
  std::vector<Row> rows;
  std::string next_cursor;
  bool complete = false;
};

enum class [[nodiscard]] PlanWrite : std::uint8_t{
    kApplied,  ///< the batch is in, or was already (re-read after an unknown outcome)
    kFenced,   ///< somebody else plans, or the task may not go on: nothing was written
};

/// Planning as the planner node needs it. Same threading and failure contract as TaskTable.
class PlanTable {
 public:
  virtual ~PlanTable() = default;

  /// Returns the incomplete, not failed plans of this node whose retry time has come.
  virtual std::vector<Plan> getPlansOf(const Call& call, const ExecId& exec_id) = 0;
  /// Records which step comes next (kStepDone completes the plan), and the plan's cleans_up. Guarded by the token, and
  /// like a batch by the task row (pending or running, in `after_step`, with the meta, slots and max_nodes of `task`).
  /// Throws kInvalidArgument for a step that the task has entered before.
  virtual PlanWrite setStep(const Call& call, const proto::Task& task, const Plan& plan, Step step) = 0;
  /// Writes a batch in one transaction: locks the task row (pending or running, in `after_step`, or running in `step`,
  /// with the meta, slots and max_nodes of `task`: a modification may have come and gone since), moves the cursor
  /// `where cursor=? and next_ordinal=? and token=?`, inserts the subtasks with following ordinals; the first batch
  /// switches the task to `step` (and to running). On kApplied `plan` holds the new cursor and ordinal, and no
  /// retries. Throws
  /// kStoreContent, before anything is written, for a meta above what the store takes in one row.
  virtual PlanWrite writeBatch(const Call& call, const proto::Task& task, Plan& plan, const PlanBatch& batch) = 0;
  /// Marks a plan of kind kRevert or kCleanUp done.
  virtual PlanWrite complete(const Call& call, const Plan& plan) = 0;
  /// Keeps a planning error: fatal, or to be retried after `delay`.
  virtual PlanWrite setError(
      const Call& call, const Plan& plan, const std::string& message, bool fatal, runtime::Duration delay
  ) = 0;
  /// Keeps what the plan waits for, which is no fault of its own: to be tried again after `delay`, not counted in
  /// `retries`.
  virtual PlanWrite setWait(
      const Call& call, const Plan& plan, const std::string& message, runtime::Duration delay
  ) = 0;
  /// Gives the plan, as far as it is, to another node because this one cannot plan it: `next_planner` gets it at once,
  /// under a new token; the present planner joins handed_back, and `message` is kept as an error that is not fatal.
  virtual PlanWrite handOn(
      const Call& call, const Plan& plan, const ExecId& next_planner, const std::string& message
  ) = 0;
  /// Streams the result metas of succeeded subtasks of a step, by ordinal, in pages: returns at most `limit` with
  /// ordinal > `after`.
  virtual std::vector<std::pair<std::int32_t, std::string>> getResultMetas(
      const Call& call, TaskId task_id, Step step, std::int32_t after, std::int32_t limit
  ) = 0;
};

}  // namespace disttask::storage
