#include "commands.hpp"
#include "meta_option.hpp"
#include "task_trial.hpp"

#include "../../exit_codes.hpp"
#include "../args/task.hpp"
#include "../output/interrupt.hpp"
#include "../output/listing.hpp"
#include "../output/text.hpp"
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

namespace disttask::ctl {
namespace {

constexpr auto kSlice = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kModifyLimit = std::chrono::seconds(30);

void say(Context& context, proto::TaskId id, bool asked, const char* doing, const char* already) {
  if (asked) {
    context.nudgeOwner();
    context.err() << fmt::format("task id:{} is being {}\n", id.value(), doing);
  } else {
    context.err() << fmt::format("task id:{} is {} already\n", id.value(), already);
  }
}

int answer(Context& context, proto::TaskId id, bool asked, const char* doing, const char* already) {
  say(context, id, asked, doing, already);
  printChange(context, fmt::format("id:{}", id.value()), Json::Object{{"id", id.value()}, {"asked", asked}});
  return app::kExitClean;
}

}  // namespace

int execute(Context& context, const TaskPause& options) {
  const auto id = context.findTask(options.name).id;
  const bool asked = context.store().clientTable().pauseTask(context.call(), id);
  if (!options.wait.wait) return answer(context, id, asked, "paused", "paused");
  say(context, id, asked, "paused", "paused");
  // Only a paused task can be resumed, not one on its way there.
  const auto stays = fmt::format(
      "the pause stays. To let the task go on once it is paused: disttaskctl task resume '{}'", options.name
  );
  return waitUntilSettled(context, id, options.wait, stays, {proto::TaskState::kPaused});
}

int execute(Context& context, const TaskResume& options) {
  const auto id = context.findTask(options.name).id;
  const bool asked = context.store().clientTable().resumeTask(context.call(), id);
  if (!options.wait.wait) return answer(context, id, asked, "resumed", "running");
  say(context, id, asked, "resumed", "running");
  const auto stays =
      fmt::format("the task goes on. To pause it once it runs: disttaskctl task pause '{}'", options.name);
  return waitUntilSettled(context, id, options.wait, stays, {proto::TaskState::kRunning, proto::TaskState::kPending});
}

int execute(Context& context, const TaskModify& options) {
  proto::TaskModification change{options.slots, options.max_nodes, options.priority, std::nullopt};
  if (options.meta) change.meta = readMeta(*options.meta);
  const auto task = context.findTask(options.name);
  const auto id = task.id;
  if (change.meta) {
    // The type decides about a meta, and a running task takes one in at once.
    storage::TaskRequest request;
    request.type = task.type;
    request.key = task.key;
    request.meta = *change.meta;
    validateMeta(context, options.check, request);
  }
  context.store().clientTable().modifyTask(context.call(), id, change);
  if (!options.wait.wait) return answer(context, id, true, "modified", "");
  const InterruptWatch interrupt;
  answer(context, id, true, "modified", "");
  auto& clock = runtime::systemClock();
  const runtime::Deadline limit(clock, options.wait.timeout.value_or(kModifyLimit));
  for (;;) {
    try {
      // In slices, so that an interrupt is seen soon.
      context.store().clientTable().waitForModification(
          {{}, runtime::Deadline(clock, std::min<runtime::Duration>(kSlice, limit.left()))}, id
      );
      break;
    } catch (const Exception& e) {
      if (e.error().code() != ErrorCode::kTimedOut) throw;
      if (interrupt.signal() != 0) {
        sayInterrupted(
            context, fmt::format("the change stays. To change it back: disttaskctl task modify '{}'", options.name)
        );
        return interrupt.exitCode();
      }
      if (!limit.isReached()) continue;
      context.err() << e.what() << '\n';
      return app::kCtlTimeLimit;
    }
  }
  context.err() << fmt::format("task id:{} is modified on all live nodes\n", id.value());
  return app::kExitClean;
}

int execute(Context& context, const TaskResolve& options) {
  const auto id = context.findTask(options.name).id;
  if (options.resolution == storage::Resolution::kSkip)
    context.confirm(fmt::format("Let the failed subtasks of task '{}' count as succeeded?", options.name));
  if (options.resolution == storage::Resolution::kFail) context.confirm(fmt::format("Revert task '{}'?", options.name));
  const auto subtasks = context.store().clientTable().resolveTask(context.call(), id, options.resolution);
  context.nudgeOwner();
  const auto number = formatNumber(subtasks, "subtask");
  switch (options.resolution) {
    case storage::Resolution::kRetry:
      context.err(
      ) << fmt::format("task id:{} goes on: {} {} again\n", id.value(), number, subtasks == 1 ? "runs" : "run");
      break;
    case storage::Resolution::kSkip:
      context.err(
      ) << fmt::format("task id:{} goes on: {} {} skipped\n", id.value(), number, subtasks == 1 ? "was" : "were");
      break;
    case storage::Resolution::kFail:
      context.err() << fmt::format("task id:{} is being reverted\n", id.value());
      break;
  }
  printChange(context, fmt::format("id:{}", id.value()), Json::Object{{"id", id.value()}, {"subtasks", subtasks}});
  return app::kExitClean;
}

}  // namespace disttask::ctl
