#include "node_metrics.hpp"

#include "disttask/observability/log.hpp"
#include "disttask/runtime/thread_group.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>

namespace disttask::app {
namespace {

using observability::Counter;
using observability::Gauge;

constexpr std::array kStoreCodes{
    ErrorCode::kStoreUnavailable,
    ErrorCode::kStoreConflict,
    ErrorCode::kStoreReadOnly,
    ErrorCode::kStoreTooMany,
    ErrorCode::kStoreNoPrivilege,
    ErrorCode::kStoreDiskFull,
    ErrorCode::kStoreKilled,
    ErrorCode::kStoreContent,
    ErrorCode::kStoreSessionUnfit,
    ErrorCode::kStoreSchema};
constexpr std::array kWanted{proto::WantedState::kNormal, proto::WantedState::kCordoned, proto::WantedState::kDraining};
constexpr std::array kLevels{
    observability::Level::kDebug,
    observability::Level::kInfo,
    observability::Level::kWarn,
    observability::Level::kError};

const std::vector<double> poll_bounds{0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const std::vector<double> run_bounds{0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600};

double seconds(runtime::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// One of the numbers that the executor counts, and where it is shown.
struct Mirror {
  const char* key;
  std::atomic<std::int64_t> executor::ExecutorCounters::*number;
};
constexpr Mirror kMirrors[] = {
    {"disttask_subtasks_started_total", &executor::ExecutorCounters::started},
    {"succeeded", &executor::ExecutorCounters::succeeded},
    {"failed", &executor::ExecutorCounters::failed},
    {"canceled", &executor::ExecutorCounters::canceled},
    {"paused", &executor::ExecutorCounters::paused},
    {"given_back", &executor::ExecutorCounters::given_back},
    {"retried", &executor::ExecutorCounters::retried},
    {"handed_back", &executor::ExecutorCounters::handed_back},
    {"lost", &executor::ExecutorCounters::lost},
    {"disttask_subtasks_orphaned_total", &executor::ExecutorCounters::orphans},
    {"disttask_subtasks_moved_away_total", &executor::ExecutorCounters::moved_away},
    {"disttask_cancels_ignored_total", &executor::ExecutorCounters::ignored_cancels},
    {"disttask_run_logs_left_out_total", &executor::ExecutorCounters::run_logs_left_out},
};

std::int64_t residentBytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"), &std::fclose);
  long pages = 0;
  if (!file || std::fscanf(file.get(), "%*s %ld", &pages) != 1) return 0;
  return static_cast<std::int64_t>(pages) * ::sysconf(_SC_PAGESIZE);
}

double cpuSeconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

double openFiles() {
  std::error_code failure;
  double count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", failure), end; !failure && at != end;
       at.increment(failure)) {
    ++count;
  }
  return count;
}

}  // namespace

Gauge NodeMetrics::gauge(const std::string& name, const std::string& help) {
  return gauges_.emplace(name, metrics_.gauge(name, help)).first->second;
}

Counter NodeMetrics::counter(const std::string& name, const std::string& help) {
  return counters_.emplace(name, metrics_.counter(name, help)).first->second;
}

std::string NodeMetrics::schedulerOf(const settings::Settings& settings) {
  if (settings.store.schema == "mysql") return "tidb";
  return settings.scheduler.enabled ? "on" : "off";
}

NodeMetrics::NodeMetrics(const std::string& version, const std::string& scheduler)
    : poll_seconds_(
          metrics_.histogram("disttask_poll_seconds", "How long the store took to answer a poll.", poll_bounds)
      ) {
  metrics_
      .gauge(
          "disttask_build_info",
          "1; the labels say which version runs, and who schedules where it works.",
          {{"version", version}, {"scheduler", scheduler}}
      )
      .set(1);
  for (const auto& [name, help] : std::initializer_list<std::pair<const char*, const char*>>{
           {"disttask_uptime_seconds", "Since the process began."},
           {"disttask_ready", "1 while this node can take work: the same as /readyz."},
           {"disttask_slots", "CPU slots of this node."},
           {"disttask_slots_used", "Slots that tasks hold."},
           {"disttask_tasks", "Tasks that hold slots here."},
           {"disttask_runs", "Subtasks that run now."},
           {"disttask_ends_unwritten", "Results that could not be written yet."},
           {"disttask_lease_seconds", "The lease of this node, as configured."},
           {"disttask_lease_left_seconds", "What is left of it since the last confirmed renewal."},
           {"disttask_store_up", "1 when the last poll was answered."},
           {"disttask_store_answer_age_seconds", "Since the last answered poll."},
           {"disttask_scheduler_owner", "1 while this node holds the scheduler role."},
           {"disttask_balance_skew", "Owner: the largest distance of a task's rows from an even spread."},
           {"disttask_task_types", "Task types that this node offers."},
           {"disttask_config_last_reload_success", "1 when the settings that were read last hold; 0: they were wrong."},
           {"disttask_config_last_reload_success_timestamp_seconds", "When settings were last read and right."},
           {"disttask_resident_memory_bytes", "Memory of the process."},
           {"disttask_open_files", "File descriptors of the process."},
           {"disttask_threads", "Threads of the process."}}) {
    (void)gauge(name, help);
  }
  for (const auto& [name, help] : std::initializer_list<std::pair<const char*, const char*>>{
           {"disttask_subtasks_started_total", "Starts that were confirmed."},
           {"disttask_subtasks_orphaned_total", "Running rows of this node that nobody ran."},
           {"disttask_subtasks_moved_away_total", "Runs that were cancelled because the row was somebody else's."},
           {"disttask_cancels_ignored_total", "Runs that went on for long after their cancel."},
           {"disttask_run_logs_left_out_total", "Runs whose last log lines were not: too many, or the store failed."},
           {"disttask_register_restored_total", "Times that this node's row of dist_framework_meta was gone."},
           {"disttask_tasks_unknown_type_total", "Tasks that were passed over because their type is not offered here."},
           {"disttask_lease_rounds_total", "Rounds of the loop that renews the lease."},
           {"disttask_store_connects_total", "Sessions that were opened."},
           {"disttask_scheduler_rounds_total", "Rounds of the scheduler loop."},
           {"disttask_balance_moved_total", "Owner: pending subtasks that were moved."},
           {"disttask_history_moved_total", "Owner: tasks that were moved to history."},
           {"disttask_cpu_seconds_total", "CPU time of the process."}}) {
    (void)counter(name, help);
  }
  for (const auto& mirror : kMirrors) {
    if (counters_.count(mirror.key) != 0) continue;
    counters_.emplace(
        mirror.key,
        metrics_.counter(
            "disttask_subtasks_ended_total", "Runs that ended, by what became of the row.", {{"outcome", mirror.key}}
        )
    );
  }
  for (const auto* result : {"answered", "failed"}) {
    counters_.emplace(
        std::string("poll ") + result,
        metrics_.counter("disttask_polls_total", "Polls of this node.", {{"result", result}})
    );
  }
  for (const auto level : kLevels) {
    counters_.emplace(
        std::string("log ").append(toString(level)),
        metrics_.counter(
            "disttask_log_lines_total", "Lines that were logged.", {{"level", std::string(toString(level))}}
        )
    );
  }
  for (const auto code : kStoreCodes) {
    store_errors_.emplace(
        code,
        metrics_.counter(
            "disttask_store_errors_total", "Store calls that failed.", {{"code", std::string(toString(code))}}
        )
    );
  }
  reloaded(true);  // a start is one, too
  for (const auto state : kWanted) {
    wanted_.emplace(
        state,
        metrics_.gauge(
            "disttask_wanted", "1 for what an operator wants of this node.", {{"state", std::string(toString(state))}}
        )
    );
  }
}

void NodeMetrics::polled(runtime::Duration took, bool answered) noexcept {
  counters_.at(answered ? "poll answered" : "poll failed").add();
  if (answered) poll_seconds_.observe(seconds(took));
}

void NodeMetrics::addType(const std::string& type) {
  const std::lock_guard lock(types_mutex_);
  run_seconds_.emplace(
      type,
      metrics_.histogram("disttask_run_seconds", "How long plugin code had a subtask.", run_bounds, {{"type", type}})
  );
}

void NodeMetrics::returned(const std::string& type, runtime::Duration took) noexcept {
  const std::lock_guard lock(types_mutex_);
  const auto at = run_seconds_.find(type);
  if (at != run_seconds_.end()) at->second.observe(seconds(took));
}

void NodeMetrics::reloaded(bool applied) noexcept {
  gauges_.at("disttask_config_last_reload_success").set(applied ? 1 : 0);
  if (!applied) return;
  gauges_.at("disttask_config_last_reload_success_timestamp_seconds").set(static_cast<double>(std::time(nullptr)));
}

void NodeMetrics::storeConnected() noexcept {
  counters_.at("disttask_store_connects_total").add();
}

void NodeMetrics::storeFailed(const Error& error) noexcept {
  const auto at = store_errors_.find(error.code());
  if (at != store_errors_.end()) at->second.add();
}

void NodeMetrics::updateProcess() {
  gauges_.at("disttask_resident_memory_bytes").set(static_cast<double>(residentBytes()));
  gauges_.at("disttask_open_files").set(openFiles());
  gauges_.at("disttask_threads").set(static_cast<double>(runtime::ThreadGroup::numRunning() + 1));
  counters_.at("disttask_cpu_seconds_total").raiseTo(cpuSeconds());
  for (const auto level : kLevels) {
    counters_.at(std::string("log ").append(toString(level)))
        .raiseTo(static_cast<double>(observability::numLines(level)));
  }
}

void NodeMetrics::update(const NodeReport& report, const NodeCounts& counts) {
  const auto set = [this](const char* name, auto value) { gauges_.at(name).set(static_cast<double>(value)); };
  const auto checks = readiness(report);
  bool ready = true;
  for (const auto& check : checks) ready = ready && check.trouble.empty();
  set("disttask_ready", ready ? 1 : 0);
  set("disttask_uptime_seconds", seconds(report.uptime));
  set("disttask_slots", report.slots);
  set("disttask_slots_used", report.slots_used);
  set("disttask_tasks", report.tasks.size());
  set("disttask_runs", report.runs);
  set("disttask_ends_unwritten", report.ends_unwritten);
  set("disttask_lease_seconds", seconds(report.lease));
  set("disttask_lease_left_seconds", seconds(report.lease_left));
  set("disttask_store_up", report.store_answers ? 1 : 0);
  // Before the first answer it is as old as the process.
  set("disttask_store_answer_age_seconds", seconds(report.store_age.value_or(report.uptime)));
  set("disttask_scheduler_owner", report.is_owner ? 1 : 0);
  set("disttask_balance_skew", report.skew);
  set("disttask_task_types", report.types.size());
  for (auto& [state, shown] : wanted_) shown.set(state == report.wanted ? 1 : 0);
  counters_.at("disttask_balance_moved_total").raiseTo(static_cast<double>(report.moved));
  counters_.at("disttask_lease_rounds_total").raiseTo(static_cast<double>(counts.lease_rounds));
  counters_.at("disttask_scheduler_rounds_total").raiseTo(static_cast<double>(counts.scheduler_rounds));
  counters_.at("disttask_history_moved_total").raiseTo(static_cast<double>(counts.history_moved));
  if (counts.executor == nullptr) return;
  for (const auto& mirror : kMirrors) {
    counters_.at(mirror.key).raiseTo(static_cast<double>((counts.executor->*mirror.number).load()));
  }
  counters_.at("disttask_tasks_unknown_type_total").raiseTo(static_cast<double>(counts.executor->unknown_types.load()));
  counters_.at("disttask_register_restored_total")
      .raiseTo(static_cast<double>(counts.executor->register_restored.load()));
}

std::string NodeMetrics::page(const NodeReport& report, const NodeCounts& counts) {
  const std::lock_guard lock(page_mutex_);
  update(report, counts);
  updateProcess();
  return metrics_.text();
}

}  // namespace disttask::app
