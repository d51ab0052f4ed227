#include "commands.hpp"
#include "disttask/base/random.hpp"
#include "meta_option.hpp"
#include "task_trial.hpp"

#include "../../exit_codes.hpp"
#include "../args/task.hpp"
#include "../output/listing.hpp"
#include <fmt/format.h>

#include <ctime>
#include <ostream>

namespace disttask::ctl {
namespace {

std::string makeKey(const std::string& type) {
  const auto now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format(
      "{}-{:04}{:02}{:02}-{:02}{:02}{:02}-{:06x}",
      type,
      parts.tm_year + 1900,
      parts.tm_mon + 1,
      parts.tm_mday,
      parts.tm_hour,
      parts.tm_min,
      parts.tm_sec,
      randomBelow(1 << 24)
  );
}

storage::TaskRequest requestOf(const TaskSubmit& options) {
  storage::TaskRequest request;
  request.type = options.type;
  request.key = options.key.empty() ? makeKey(options.type) : options.key;
  if (request.key.rfind("id:", 0) == 0)
    throw Exception(ErrorCode::kInvalidArgument, "a key must not begin with id:, which names tasks by number");
  request.meta = readMeta(options.meta);
  request.slots = options.slots;
  request.priority = options.priority;
  request.max_nodes = options.max_nodes;
  request.target_scope = options.scope;
  request.extra.parallel_subtasks = options.parallel;
  request.extra.manual_recovery = options.manual_recovery;
  return request;
}

}  // namespace

int execute(Context& context, const TaskSubmit& options) {
  const auto request = requestOf(options);
  if (options.dry_run) return tryWithoutWriting(context, options, request);
  // Before the store is opened: the check forks, and a meta that is wrong needs no store.
  validateMeta(context, options.check, request);
  const auto result = context.store().clientTable().submitTask(context.call(), request);
  const auto id = result.id.value();
  if (result.existed && !options.if_absent) {
    throw Exception(
        ErrorCode::kAlreadyExists,
        fmt::format(
            "the key '{}' was used before, by task id:{}; a key is used once, for ever (--if-absent gives the old "
            "task)",
            request.key,
            id
        )
    );
  }
  if (!result.existed) {
    context.nudgeOwner();
    if (const auto why = whyNobodyRuns(context, request); !why.empty())
      context.err() << "warning: the task waits, since " << why << " (disttaskctl task why id:" << id << ")\n";
  }
  if (!options.wait.wait) {
    context.err() << (result.existed ? "there already: task '" : "submitted: task '") << request.key << "'\n";
    const Json json = Json::Object{{"id", id}, {"key", request.key}, {"existed", result.existed}};
    printOne(context, request.key, json, [&] { context.out() << "id:" << id << '\n'; });
    return app::kExitClean;
  }
  context.err() << (result.existed ? "there already: task '" : "submitted: task '") << request.key << "', id:" << id
                << '\n';
  return waitForTask(context, result.id, options.wait, taskGoesOn(request.key));
}

}  // namespace disttask::ctl
