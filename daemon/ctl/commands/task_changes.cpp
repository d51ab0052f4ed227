#include "commands.hpp"
#include "meta_option.hpp"

#include "../../exit_codes.hpp"
#include <fmt/format.h>

#include <ostream>

namespace disttask::ctl {
namespace {

constexpr std::chrono::milliseconds kModifyLimit = std::chrono::seconds(30);

int answer(Context& context, proto::TaskId id, bool asked, const char* doing, const char* already) {
  if (asked) {
    context.nudgeOwner();
    context.err() << fmt::format("task id:{} is being {}\n", id.value(), doing);
  } else {
    context.err() << fmt::format("task id:{} is {} already\n", id.value(), already);
  }
  if (context.isJson()) context.printJson(Json::Object{{"id", id.value()}, {"asked", asked}});
  return app::kExitClean;
}

}  // namespace

int execute(Context& context, const TaskPause& options) {
  const auto id = context.findTask(options.name).id;
  return answer(context, id, context.store().clientTable().pauseTask(context.call(), id), "paused", "paused");
}

int execute(Context& context, const TaskResume& options) {
  const auto id = context.findTask(options.name).id;
  return answer(context, id, context.store().clientTable().resumeTask(context.call(), id), "resumed", "running");
}

int execute(Context& context, const TaskModify& options) {
  proto::TaskModification change{options.slots, options.max_nodes, options.priority, std::nullopt};
  if (options.meta) change.meta = readMeta(*options.meta);
  const auto id = context.findTask(options.name).id;
  context.store().clientTable().modifyTask(context.call(), id, change);
  const auto code = answer(context, id, true, "modified", "");
  if (!options.wait.wait) return code;
  const runtime::Deadline deadline(runtime::systemClock(), options.wait.timeout.value_or(kModifyLimit));
  try {
    context.store().clientTable().waitForModification({{}, deadline}, id);
  } catch (const Exception& e) {
    if (e.error().code() != ErrorCode::kTimedOut) throw;
    context.err() << e.what() << '\n';
    return app::kCtlTimeLimit;
  }
  context.err() << fmt::format("task id:{} is modified on all live nodes\n", id.value());
  return app::kExitClean;
}

}  // namespace disttask::ctl
