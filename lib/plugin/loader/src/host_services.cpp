#include "host_services.hpp"

#include "disttask/observability/log.hpp"
#include "disttask_plugin.h"

namespace disttask::plugin {

using observability::Level;

namespace {

Level levelOf(std::int32_t level) {
  switch (level) {
    case DISTTASK_LOG_DEBUG:
      return Level::kDebug;
    case DISTTASK_LOG_INFO:
      return Level::kInfo;
    case DISTTASK_LOG_ERROR:
      return Level::kError;
    default:
      return Level::kWarn;  // a level that nobody knows is worth a look
  }
}

}  // namespace

std::string_view HostServices::logPlugin(std::int32_t level, const std::string& text, const CallNames& names) const {
  const Level known = levelOf(level);
  if (!observability::isEnabled(known)) return {};
  observability::log(
      known,
      "plugin message",
      {{"text", text}, {"task_type", names.type}, {"task_id", names.task_id}, {"subtask_id", names.subtask_id}}
  );
  return toString(known);
}

void HostServices::logMisbehaving(std::string_view what, const CallNames& names) const {
  misbehaving_.logFor(
      names.type + " " + std::string(what),
      Level::kWarn,
      "plugin misbehaving",
      {{"what", what}, {"task_type", names.type}, {"task_id", names.task_id}, {"subtask_id", names.subtask_id}}
  );
}

}  // namespace disttask::plugin
