#include "parts.hpp"

#include "../output/text.hpp"
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

namespace disttask::ctl {
namespace {

using proto::TaskState;
using storage::PlanKind;
using storage::mysql::PlanHealth;
using storage::mysql::StuckStates;
using storage::mysql::TaskHealth;

/// What the owner and the nodes do takes seconds; a state that lasts so long is held up by something.
constexpr std::int64_t kLongSeconds = 300;
/// Between two steps, and until somebody plans: shorter is work in progress.
constexpr std::int64_t kStillSeconds = 60;

std::string nameOf(const TaskHealth& task) {
  return fmt::format("task {} ('{}')", task.task.id.value(), task.task.key);
}

/// Tasks of a live TiDB are not ours to change.
constexpr const char* kInTiDb =
    "in TiDB (ADMIN PAUSE, RESUME or CANCEL DDL JOBS for ADD INDEX, CANCEL IMPORT JOB for IMPORT INTO, else by what "
    "submitted it)";

/// True for a task that none of our nodes, live or gone, could run: a live TiDB has it for hosts of its own.
bool isOfOthers(const TaskHealth& task, const DoctorFacts& facts) {
  return facts.is_beside_tidb && std::none_of(facts.nodes.begin(), facts.nodes.end(), [&](const auto& node) {
           return node.role == task.task.target_scope;
         });
}

/// True when hosts of TiDB's own serve the scope as well: what types and slots these have nobody here knows.
bool hasForeignHost(const std::string& scope, const DoctorFacts& facts) {
  return std::any_of(facts.registered.begin(), facts.registered.end(), [&](const auto& host) {
    return host.role == scope && std::none_of(facts.nodes.begin(), facts.nodes.end(), [&](const auto& node) {
             return node.exec_id == host.host;
           });
  });
}

std::string why(const TaskHealth& task) {
  return fmt::format("disttaskctl task why id:{} says what it waits for", task.task.id.value());
}

bool isPassing(TaskState state) {
  return state == TaskState::kPausing || state == TaskState::kResuming || state == TaskState::kCancelling ||
         state == TaskState::kReverting || state == TaskState::kModifying;
}

bool hasPlan(const StuckStates& stuck, const TaskHealth& task) {
  return std::any_of(stuck.plans.begin(), stuck.plans.end(), [&](const PlanHealth& plan) {
    return plan.task_id == task.task.id;
  });
}

/// What live nodes could do for a task.
struct Offer {
  bool scope = false;
  bool type = false;
  bool slots = false;
};

Offer offerFor(const proto::TaskBase& task, const std::vector<proto::Node>& nodes) {
  Offer offer;
  for (const auto& node : nodes) {
    if (node.life == proto::Life() || node.role != task.target_scope) continue;
    offer.scope = true;
    if (!node.types.contains(task.type)) continue;
    offer.type = true;
    if (node.slots >= task.slots) offer.slots = true;
  }
  return offer;
}

void diagnoseOffer(const TaskHealth& task, const DoctorFacts& facts, std::vector<Finding>& findings) {
  if (task.task.state != TaskState::kPending && task.task.state != TaskState::kRunning) return;
  if (facts.is_beside_tidb && hasForeignHost(task.task.target_scope, facts)) return;
  const auto offer = offerFor(task.task, facts.nodes);
  const auto add = [&](const char* code, const std::string& what, std::string remedy) {
    findings.push_back({Severity::kWarning, code, task.task.key, nameOf(task) + " waits: " + what, std::move(remedy)});
  };
  if (!offer.scope) {
    add("no_node_in_scope",
        fmt::format("no live node has scope '{}'", task.task.target_scope),
        "start a node with this node.scope");
  } else if (!offer.type) {
    add("type_not_offered",
        fmt::format("no live node in its scope offers task type '{}'", task.task.type),
        "install the plugin on a node of its scope and reload disttaskd there (systemctl reload disttaskd)");
  } else if (!offer.slots) {
    add("too_few_slots",
        fmt::format("it needs {} slots, no live node that could run it has so many", task.task.slots),
        facts.is_beside_tidb
            ? fmt::format("nodes with more slots, or cancel it {} and submit it with fewer", kInTiDb)
            : fmt::format("disttaskctl task modify id:{} --slots N, or a larger node", task.task.id.value()));
  }
}

void diagnoseTask(
    const TaskHealth& task, const StuckStates& stuck, const DoctorFacts& facts, std::vector<Finding>& findings
) {
  if (isOfOthers(task, facts)) return;
  const auto span = formatSpan(std::chrono::seconds(std::max<std::int64_t>(task.state_age_s, 0)));
  const auto state = task.task.state;
  if (state == TaskState::kAwaitingResolution) {
    findings.push_back(
        {Severity::kWarning,
         "waits_for_resolution",
         task.task.key,
         fmt::format("{} waits for a person to decide about its failed subtasks, for {}", nameOf(task), span),
         facts.is_beside_tidb
             ? fmt::format(
                   "cancel it {}; to go on with it a DBA sets its failed subtasks to pending, then the task to running",
                   kInTiDb
               )
             : fmt::format("disttaskctl task resolve id:{} --retry, --skip or --fail", task.task.id.value())}
    );
  }
  if (isPassing(state) && task.state_age_s > kLongSeconds) {
    findings.push_back(
        {Severity::kWarning,
         "state_lasts",
         task.task.key,
         fmt::format("{} has been {} for {}", nameOf(task), toString(state), span),
         facts.is_beside_tidb
             ? "TiDB's scheduler leads it on once its subtasks have ended: see that a TiDB runs with "
               "tidb_enable_dist_task on, and that the nodes that have them live (disttaskctl task subtasks, node ls)"
             : why(task)}
    );
  }
  if (state == TaskState::kRunning && task.has_paused_rows) {
    findings.push_back(
        {Severity::kWarning,
         "paused_rows_of_running_task",
         task.task.key,
         nameOf(task) + " is running and has paused subtasks",
         facts.is_beside_tidb
             ? fmt::format("pause the task and resume it {}: that lets them go on", kInTiDb)
             : "the owner lets them go on at its next round; if this stays, see no_owner and owner_silent"}
    );
  }
  const bool stands_still = !facts.is_beside_tidb && state == TaskState::kRunning && !task.has_active_rows &&
                            !task.has_paused_rows && task.state_age_s > kStillSeconds && !hasPlan(stuck, task);
  if (stands_still) {
    findings.push_back(
        {Severity::kWarning,
         "task_without_plan",
         task.task.key,
         fmt::format("{} is running, has nothing to run, and nobody plans what follows, for {}", nameOf(task), span),
         why(task)}
    );
  }
  diagnoseOffer(task, facts, findings);
}

const char* purposeOf(PlanKind kind) {
  switch (kind) {
    case PlanKind::kRevert:
      return "revert hook";
    case PlanKind::kCleanUp:
      return "clean-up hook";
    case PlanKind::kStep:
      break;
  }
  return "plan";
}

void diagnosePlan(const PlanHealth& plan, std::vector<Finding>& findings) {
  const auto name = fmt::format("the {} of task {}", purposeOf(plan.kind), plan.task_id.value());
  const auto task_state = proto::parseTaskState(plan.task_state);
  const bool has_ended = task_state && proto::isDone(*task_state);
  const auto subject = plan.task_key.empty() ? "id:" + std::to_string(plan.task_id.value()) : plan.task_key;
  if (plan.task_state.empty()) {
    findings.push_back(
        {Severity::kNote,
         "left_plan",
         subject,
         name + " is left: its task is not live",
         "harmless; a DBA may remove it from disttask_plan"}
    );
  } else if (plan.failed && plan.kind == PlanKind::kStep && has_ended) {
    findings.push_back(
        {Severity::kNote,
         "plan_failed",
         subject,
         fmt::format("{} has failed, and the task has ended ({}): {}", name, plan.task_state, plan.error),
         "correct what it says and submit again under another key; the row goes with the task's move to history"}
    );
  } else if (plan.failed) {
    const bool is_hook = plan.kind != PlanKind::kStep;
    findings.push_back(
        {is_hook ? Severity::kNote : Severity::kWarning,
         is_hook ? "hook_failed" : "plan_failed",
         subject,
         fmt::format("{} has failed: {}", name, plan.error),
         is_hook ? "what the task type should have removed may be left; the row goes with the task's move to history"
                 : "the owner reverts the task; correct what it says and submit again"}
    );
  } else if (has_ended && plan.kind != PlanKind::kCleanUp) {
    // Nobody goes on with it; the row goes with the task's move to history.
  } else if (!plan.is_planner_alive) {
    findings.push_back(
        {Severity::kWarning,
         "planner_gone",
         subject,
         fmt::format("{} is with node '{}', which is not alive", name, plan.planner),
         "the owner gives it to another node that offers the type; if this stays, there is none, or no owner"}
    );
  }
}

void diagnoseHolders(const StuckStates& stuck, const DoctorFacts& facts, std::vector<Finding>& findings) {
  for (const auto& holder : stuck.dead_holders) {
    const auto rows = fmt::format("{} pending and {} running subtasks", holder.pending, holder.running);
    const bool is_registered = std::any_of(facts.registered.begin(), facts.registered.end(), [&](const auto& row) {
      return row.host == holder.exec_id;
    });
    if (facts.is_beside_tidb && !holder.is_known && is_registered) continue;  // a node of TiDB's own
    if (facts.is_beside_tidb) {
      findings.push_back(
          {Severity::kWarning,
           holder.is_known ? "rows_of_dead_node" : "rows_of_unknown_node",
           holder.exec_id,
           fmt::format("{} are on node '{}', which is not alive", rows, holder.exec_id),
           holder.is_known ? "disttaskctl node forget " + holder.exec_id + " --reassign"
                           : "TiDB's scheduler moves them to other nodes of their scope within seconds; if this stays, "
                             "there is none, or no TiDB schedules"}
      );
    } else if (holder.is_known) {
      findings.push_back(
          {Severity::kWarning,
           "rows_of_dead_node",
           holder.exec_id,
           fmt::format("{} are on node '{}', which is not alive", rows, holder.exec_id),
           "the owner takes them within seconds and hands them out; if this stays, no other node fits, or there is no "
           "owner"}
      );
    } else {
      findings.push_back(
          {Severity::kWarning,
           "rows_of_unknown_node",
           holder.exec_id,
           fmt::format("{} are on node '{}', which does not exist", rows, holder.exec_id),
           "start a node with this id: it takes its rows over; or cancel their tasks"}
      );
    }
  }
}

}  // namespace

void diagnoseStuckStates(const DoctorFacts& facts, std::vector<Finding>& findings) {
  if (!facts.stuck) return;
  const auto& stuck = *facts.stuck;
  diagnoseHolders(stuck, facts, findings);
  for (const auto& task : stuck.tasks) diagnoseTask(task, stuck, facts, findings);
  for (const auto& plan : stuck.plans) diagnosePlan(plan, findings);
  for (const auto& rows : stuck.lost_rows) {
    findings.push_back(
        {Severity::kWarning,
         "rows_without_task",
         rows.task_key,
         rows.state.empty()
             ? fmt::format("subtasks of task {} wait or run, but there is no such task", rows.task_key)
             : fmt::format("subtasks of task {} wait or run, but it has ended ({})", rows.task_key, rows.state),
         "nobody will run them; after a restore of the store, restore both tables; else set them to canceled by hand"}
    );
  }
  for (const auto& [state, count] : stuck.unknown_states) {
    findings.push_back(
        {Severity::kWarning,
         "unknown_state",
         state,
         fmt::format("{} tasks are in state '{}', which this program does not know", count, state),
         "a newer version wrote it: use the newer program"}
    );
  }
  if (stuck.left_attempts > 0) {
    findings.push_back(
        {Severity::kNote,
         "left_attempts",
         "",
         fmt::format("{} rows of disttask_attempt belong to tasks that are not live", stuck.left_attempts),
         facts.is_beside_tidb ? "harmless; a daemon deletes them within an hour"
                              : "harmless; disttaskctl history gc deletes them"}
    );
  }
}

}  // namespace disttask::ctl
