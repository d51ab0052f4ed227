#pragma once
#include "disttask/executor/node_lease.hpp"
#include "disttask/executor/node_poller.hpp"
#include "disttask/executor/settings.hpp"
#include "disttask/observability/log.hpp"
#include "disttask/planning/planning_service.hpp"
#include "disttask/scheduler/history_mover.hpp"
#include "disttask/scheduler/scheduler_settings.hpp"
#include "disttask/settings/loader.hpp"

#include <map>
#include <string>

namespace disttask::app {

// What the settings mean to the parts of a daemon. Pure.

[[nodiscard]] observability::Level toLevel(settings::LogLevel level);
/// `address`: where nudges reach this node. `types`: task type → version that it offers.
[[nodiscard]] executor::LeaseSettings toLeaseSettings(
    const settings::Settings& settings,
    const settings::HostFacts& facts,
    const std::string& address,
    const std::map<std::string, std::string>& types
);
[[nodiscard]] executor::ExecutorSettings toExecutorSettings(const settings::Settings& settings);
[[nodiscard]] executor::PollSettings toPollSettings(const settings::Settings& settings);
[[nodiscard]] planning::PlanningSettings toPlanningSettings(const settings::Settings& settings);
[[nodiscard]] scheduler::SchedulerSettings toSchedulerSettings(const settings::Settings& settings);
[[nodiscard]] scheduler::HistorySettings toHistorySettings(const settings::Settings& settings);

}  // namespace disttask::app
