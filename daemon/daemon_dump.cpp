// What a daemon writes to its log at SIGUSR1: how it is, part by part, for whoever looks for what hangs.
#include "daemon_impl.hpp"
#include "disttask/observability/log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace disttask::app {
namespace {

/// A dump stays readable, and quick to write.
constexpr std::size_t kMaxRuns = 200;

double secondsOf(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

void tell(std::string_view message, std::initializer_list<observability::Field> fields) {
  observability::logAsked(message, std::span<const observability::Field>(fields.begin(), fields.size()));
}

void tellRuns(const proto::TaskBase& task, std::vector<executor::LiveRun> runs, std::size_t& left) {
  std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.age > b.age; });
  for (const auto& run : runs) {
    if (left == 0) return;
    --left;
    tell(
        "state: run",
        {{"task_id", task.id},
         {"task_key", task.key},
         {"type", task.type},
         {"step", task.step.value()},
         {"subtask_id", run.id},
         {"age_seconds", secondsOf(run.age)},
         {"is_cancelled", run.is_cancelled}}
    );
  }
}

}  // namespace

void Daemon::Impl::dumpState() const {
  const auto now = report();
  tell(
      "state: node",
      {{"exec_id", now.exec_id},
       {"scope", now.scope},
       {"version", now.version},
       {"epoch", now.epoch},
       {"uptime_seconds", secondsOf(now.uptime)},
       {"wanted", toString(now.wanted)},
       {"status", statusLine(now)},
       {"need_restart", fmt::format("{}", fmt::join(now.need_restart, ","))}}
  );
  if (!built.load()) {
    tell("state: end", {{"parts", "the parts are not built yet"}});
    return;
  }
  auto& node = manager->node();
  tell(
      "state: slots",
      {{"total", now.slots},
       {"used", now.slots_used},
       {"tasks", now.tasks.size()},
       {"a_task_waits", node.slots.isWaiting()}}
  );
  std::size_t queued = 0;
  std::size_t num_runs = 0;
  std::size_t left = kMaxRuns;
  for (const auto& [task, activity] : manager->activities()) {
    queued += activity.queued;
    num_runs += activity.runs.size();
    tell(
        "state: task",
        {{"task_id", task.id},
         {"task_key", task.key},
         {"type", task.type},
         {"step", task.step.value()},
         {"slots", task.slots},
         {"queued", activity.queued},
         {"active", activity.active},
         {"runs", activity.runs.size()}}
    );
    tellRuns(task, activity.runs, left);
  }
  if (num_runs > kMaxRuns) tell("state: more runs", {{"not_shown", num_runs - kMaxRuns}});
  tell(
      "state: queues",
      {{"subtasks_queued", queued},
       {"ends_unwritten", now.ends_unwritten},
       {"ctl_busy", ctl.numBusy()},
       {"task_busy", task_pool->numBusy()},
       {"plan_busy", plan_pool.numBusy()}}
  );
  tell(
      "state: store",
      {{"answers", now.store_answers},
       {"answer_took_ms", now.store_took ? secondsOf(*now.store_took) * 1000 : -1.0},
       {"answer_age_seconds", now.store_age ? secondsOf(*now.store_age) : -1.0},
       {"error", now.store_error ? now.store_error->message() : std::string()}}
  );
  tell(
      "state: lease",
      {{"life", lease->node().life},
       {"lease_seconds", secondsOf(now.lease)},
       {"left_seconds", secondsOf(now.lease_left)},
       {"may_start", now.may_start},
       {"rounds", lease->progress()}}
  );
  tell(
      "state: scheduler",
      {{"owner", now.is_owner}, {"rounds", scheduler->numRounds()}, {"skew", now.skew}, {"moved", now.moved}}
  );
  for (const auto& type : types.all()) {
    tell("state: task type", {{"type", type->name()}, {"type_version", type->version()}, {"origin", type->origin()}});
  }
  tell("state: end", {{"still_loops", fmt::format("{}", fmt::join(now.still_loops, ","))}});
}

}  // namespace disttask::app
