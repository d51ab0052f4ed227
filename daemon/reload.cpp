#include "reload.hpp"

#include <algorithm>

namespace disttask::app {
namespace {

/// The parts that can be applied. The rest stays as this process began with it.
settings::Settings withLive(settings::Settings present, const settings::Settings& fresh) {
  present.node.scope = fresh.node.scope;
  present.node.slots = fresh.node.slots;
  present.node.memory_bytes = fresh.node.memory_bytes;
  present.polling = fresh.polling;
  present.scheduler.max_tasks = fresh.scheduler.max_tasks;
  present.scheduler.history_after = fresh.scheduler.history_after;
  present.scheduler.history_keep = fresh.scheduler.history_keep;
  present.plugins.list = fresh.plugins.list;
  present.connections = fresh.connections;
  present.log = fresh.log;
  return present;
}

}  // namespace

ReloadPlan planReload(
    const settings::Settings& present,
    const settings::Settings& fresh,
    const std::function<bool(const std::string& type)>& is_loaded
) {
  ReloadPlan plan;
  plan.next = withLive(present, fresh);
  for (const auto& [type, config] : fresh.plugins.config) {
    if (!is_loaded(type)) plan.next.plugins.config[type] = config;
  }
  plan.applied = settings::changesOf(present, plan.next);
  plan.need_restart = settings::changesOf(plan.next, fresh);
  return plan;
}

std::string toString(const settings::SettingChange& change) {
  return change.any().name() + ": " + settings::shownValue(change.before) + " -> " + settings::shownValue(change.after);
}

}  // namespace disttask::app
