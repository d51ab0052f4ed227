#pragma once
#include "disttask/base/json.hpp"
#include "disttask/proto/node.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/storage/client_table.hpp"
#include "disttask/storage/node_table.hpp"
#include "disttask/storage/reason_table.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::reasons {

/// What keeps a task, some of its subtasks, or one of them, from running now. The text form of the code is for programs
/// and does not change.
enum class Code : std::uint8_t {
  kEnded,         ///< "ended"
  kPaused,        ///< "paused"
  kPausing,       ///< "pausing"
  kResuming,      ///< "resuming"
  kModifying,     ///< "modifying"
  kCancelling,    ///< "cancelling"
  kReverting,     ///< "reverting"
  kResolution,    ///< "waiting_for_resolution"
  kNoOwner,       ///< "no_owner": no node holds the scheduler role
  kOwnerSilent,   ///< "owner_silent": its holder is not alive, or its lease has ended
  kNoNode,        ///< "no_live_node"
  kNoType,        ///< "type_not_offered"
  kNoScope,       ///< "no_node_in_scope"
  kNoSlots,       ///< "too_few_slots": no node in scope is large enough
  kCordoned,      ///< "cordoned": all that fit are cordoned or draining
  kRank,          ///< "rank_behind"
  kNotPlanned,    ///< "not_planned": the owner has not given the plan to a node yet
  kPlanFailed,    ///< "plan_failed"
  kPlanBackOff,   ///< "plan_back_off"
  kPlannerGone,   ///< "planner_gone"
  kPlanning,      ///< "planning": more subtasks are to come
  kNodeGone,      ///< "node_gone": pending or running on a node that is not alive
  kNodeUnfit,     ///< "node_unfit": pending on a node that may not run them
  kStoreTrouble,  ///< "store_trouble": pending on a node that the store refuses
  kSlotsShort,    ///< "slots_short": others have the slots, of the node or of all that fit
  kOwnSubtasks,   ///< "behind_own": as many of the task run on the node as may
  kAboutToStart,  ///< "about_to_start": nothing is in the way
  kBackOff,       ///< "back_off"
  kRunsAlone,     ///< "runs_alone": it ended its node before
  kHandedBack,    ///< "handed_back"
  kThrottled,     ///< "throttled": it runs, and its task type holds it up
  kRunning,       ///< "running"
};
[[nodiscard]] std::string_view toString(Code code) noexcept;

struct Reason {
  Code code = Code::kAboutToStart;
  std::string text;                     ///< a sentence for people
  std::int64_t subtasks = 0;            ///< for so many subtasks; 0 = for the task
  std::optional<std::int64_t> until{};  ///< seconds since the epoch by the store: then it is over by itself
};

/// What is known of a task when its reasons are looked for. Values of one moment each, read one after the other.
struct Facts {
  proto::Task task;
  storage::SubtaskCounts counts;  ///< of the task's step
  std::vector<storage::Plan> plans;
  std::vector<storage::RestingPlan> resting;
  std::vector<proto::Node> nodes;
  storage::RoleHolder owner;
  std::vector<proto::TaskBase> ahead;                ///< unfinished tasks of higher rank
  std::vector<storage::SlotHolder> holders;          ///< who runs on live nodes
  std::vector<storage::SlotHolder> users;            ///< which running tasks have unfinished rows on live nodes; only
                                                     ///< looked for when the task has no plan
  std::vector<storage::SubtasksOnNode> pending;      ///< where the first pending subtasks are
  std::vector<storage::SubtasksOnNode> running;      ///< where the first running ones are, by their rows
  std::vector<storage::ThrottledSubtask> throttled;  ///< of the running ones
  std::vector<storage::TriedSubtask> tried;
};

/// What is known of one subtask.
struct SubtaskFacts {
  Facts task;
  storage::SubtaskPlace subtask;
};

/// The tables that the facts come from.
struct Sources {
  storage::NodeTable& nodes;
  storage::SchedulerTable& scheduler;
  storage::ReasonTable& reasons;
};

/// At most so many rows of each kind are looked at, tasks that were begun aside; beyond, numbers are those of the
/// first.
inline constexpr std::int32_t kMaxLooked = 1000;

/// Reads the facts of a task in at most twelve queries, without locks. Store failures pass through.
[[nodiscard]] Facts readFacts(const Sources& sources, const runtime::Call& call, const proto::Task& task);
/// Says why the task, and those of its subtasks that do not run, do not run now; never empty. The first is what people
/// should look at first. Pure. This is the one place that knows.
[[nodiscard]] std::vector<Reason> explain(const Facts& facts);
/// The same for one subtask, in at most fifteen queries; nothing: the task has none with this id.
[[nodiscard]] std::optional<SubtaskFacts> readSubtaskFacts(
    const Sources& sources, const runtime::Call& call, const proto::Task& task, proto::SubtaskId id
);
/// Says why the subtask does not run now, or that it does; never empty. Pure.
[[nodiscard]] std::vector<Reason> explainSubtask(const SubtaskFacts& facts);

/// What whoever asks is told: whose reasons these are, and the reasons.
struct Answer {
  proto::TaskId task_id;
  std::string task_key;  ///< the name that its submitter chose
  proto::TaskState task_state = proto::TaskState::kPending;
  proto::Step step;
  std::optional<storage::SubtaskPlace> subtask;  ///< when it was asked for one
  std::vector<Reason> reasons;
};
/// From the store to the answer, for the tool and for a server: readFacts and explain.
[[nodiscard]] Answer whyTask(const Sources& sources, const runtime::Call& call, const proto::Task& task);
/// The same of one subtask; throws kNotFound, naming it, when the task has none with this id.
[[nodiscard]] Answer whySubtask(
    const Sources& sources, const runtime::Call& call, const proto::Task& task, proto::SubtaskId id
);
/// Returns {"id", "key", "state", "step", "reasons": [{"code", "text", "subtasks", "until"}]}, for a subtask also
/// "subtask": {"id", "step", "ordinal", "node", "state"}. "until" is a moment in UTC, or empty.
[[nodiscard]] Json toJson(const Answer& answer);

}  // namespace disttask::reasons
