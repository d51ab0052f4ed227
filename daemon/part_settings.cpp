#include "part_settings.hpp"

#include "disttask/base/tidb_schema.hpp"

#include <algorithm>

namespace disttask::app {

observability::Level toLevel(settings::LogLevel level) {
  switch (level) {
    case settings::LogLevel::kDebug:
      return observability::Level::kDebug;
    case settings::LogLevel::kWarn:
      return observability::Level::kWarn;
    case settings::LogLevel::kError:
      return observability::Level::kError;
    case settings::LogLevel::kInfo:
      break;
  }
  return observability::Level::kInfo;
}

executor::LeaseSettings toLeaseSettings(
    const settings::Settings& settings,
    const settings::HostFacts& facts,
    const std::string& address,
    const std::map<std::string, std::string>& types
) {
  const auto& node = settings.node;
  executor::LeaseSettings to;
  to.exec_id = node.id;
  to.scope = node.scope;
  to.slots = node.slots;
  to.state_dir = node.state_dir;
  to.host = facts.host_name;
  to.address = address;
  to.types = types;
  to.version = DISTTASK_VERSION;
  to.lease = node.lease;
  to.renew_every = node.lease / 4;
  // Between the cancel at two thirds of the lease and its end, also when the lease is short.
  to.exit_margin = std::min<runtime::Duration>(to.exit_margin, node.lease / 6);
  to.call_timeout = std::min<runtime::Duration>(to.call_timeout, node.lease / 3);
  // A loop may wait that long for a store that does not answer, also when the lease is short.
  to.wedged_after = std::max<runtime::Duration>(node.lease / 2, settings.store.read_timeout + std::chrono::seconds(2));
  return to;
}

executor::ExecutorSettings toExecutorSettings(const settings::Settings& settings) {
  executor::ExecutorSettings to;
  to.exec_id = settings.node.id;
  to.scope = settings.node.scope;
  to.slots = settings.node.slots;
  to.memory_bytes = settings.node.memory_bytes;
  to.task_check_interval = settings.polling.task_interval;
  to.subtask_check_interval = settings.polling.subtask_interval;
  to.max_check_interval = settings.polling.max_interval;
  to.stop_deadline = settings.node.stop_timeout;
  // A run may wait for the store when it is cancelled at two thirds of the lease. Its call must be over before the
  // process would be ended: else an outage ends daemons whose runs obey.
  const auto longest_call = std::max<runtime::Duration>(std::chrono::milliseconds(500), settings.node.lease / 8);
  to.call_timeout = std::min<runtime::Duration>(to.call_timeout, longest_call);
  to.max_abnormal_ends = settings.node.max_abnormal_ends;
  to.beside_dxf = isTidbSchema(settings.store.schema);
  // There no node has the scheduler role, whose holder forgets what is old.
  if (to.beside_dxf) to.forget_run_logs_after = settings.scheduler.history_keep;
  return to;
}

executor::PollSettings toPollSettings(const settings::Settings& settings) {
  executor::PollSettings to;
  to.exec_id = settings.node.id;
  to.interval = settings.polling.task_interval;
  to.max_interval = settings.polling.max_interval;
  return to;
}

planning::PlanningSettings toPlanningSettings(const settings::Settings& settings) {
  planning::PlanningSettings to;
  to.exec_id = settings.node.id;
  to.check_interval = settings.polling.task_interval;
  to.max_interval = settings.polling.max_interval;
  to.looks_by_itself = false;  // the node's one poll says when there are plans
  return to;
}

scheduler::SchedulerSettings toSchedulerSettings(const settings::Settings& settings) {
  scheduler::SchedulerSettings to;
  to.enabled = settings.scheduler.enabled;
  to.max_tasks_at_once = settings.scheduler.max_tasks;
  to.max_abnormal_ends = settings.node.max_abnormal_ends;
  to.lease = settings.node.lease;
  to.renew_interval = settings.node.lease / 4;
  // The role is renewed between two calls, at the latest a quarter and a call behind the last one: it must not run out,
  // at two thirds of the lease, inside that call.
  to.call_limit = std::min<runtime::Duration>(to.call_limit, settings.node.lease / 4);
  return to;
}

scheduler::HistorySettings toHistorySettings(const settings::Settings& settings) {
  scheduler::HistorySettings to;
  to.after = settings.scheduler.history_after;
  to.keep = settings.scheduler.history_keep;
  // What moves at once is looked for often.
  to.interval = std::clamp<runtime::Duration>(to.after / 10, std::chrono::seconds(1), to.interval);
  return to;
}

}  // namespace disttask::app
