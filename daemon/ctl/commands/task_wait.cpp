#include "commands.hpp"

#include "../../exit_codes.hpp"
#include "../args/task.hpp"
#include "../output/interrupt.hpp"
#include "../output/listing.hpp"
#include "../output/progress.hpp"
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>

namespace disttask::ctl {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(300);
constexpr auto kStoreAwayLimit = std::chrono::minutes(5);

}  // namespace

Snapshot takeSnapshot(Context& context, const proto::Task& task) {
  Snapshot snapshot;
  snapshot.state = stateText(task);
  snapshot.step = task.step.value();
  if (snapshot.step < 0) return snapshot;
  for (const auto& step : context.store().clientTable().getProgress(context.call(), task.id)) {
    if (step.step != task.step) continue;
    snapshot.done = step.counts.succeed + step.counts.failed;
    snapshot.planned = step.counts.all();
    snapshot.failed = step.counts.failed;
    snapshot.canceled = step.counts.canceled;
    snapshot.plan_complete = step.plan_complete;
    snapshot.rows = step.sum.row_count;
  }
  return snapshot;
}

namespace {

/// Looks until the task's state is one that was waited for; nothing when the time limit or an interrupt came first.
/// Writes progress to err.
std::optional<proto::Task> watch(
    Context& context,
    proto::TaskId id,
    const WaitOptions& options,
    const InterruptWatch& interrupt,
    bool (*is_over)(proto::TaskState)
) {
  auto& clock = runtime::systemClock();
  runtime::Wakeup pause(clock);
  const auto limit = options.timeout ? runtime::Deadline(clock, *options.timeout) : runtime::Deadline();
  const bool terminal = ::isatty(STDERR_FILENO) != 0 && !context.isQuiet();
  Progress progress(terminal, terminal ? columnsOf(STDERR_FILENO) : 0);
  std::optional<runtime::TimePoint> away_since;
  while (true) {
    try {
      auto task = context.store().clientTable().findTask(context.call(), id);
      if (!task) throw Exception(ErrorCode::kNotFound, fmt::format("task id:{} is in no table any more", id.value()));
      const auto snapshot = takeSnapshot(context, *task);
      if (away_since) context.err() << (terminal ? "\r\x1b[K" : "") << "the store answers again\n";
      away_since.reset();
      context.err() << progress.update(snapshot, clock.now()) << std::flush;
      if (is_over(task->state)) {
        context.err() << progress.finish() << std::flush;
        return task;
      }
    } catch (const Exception& failure) {
      if (!isPassing(failure.error())) throw;
      if (!away_since) {
        away_since = clock.now();
        context.err() << (terminal ? "\n" : "") << failure.what() << "; still waiting\n" << std::flush;
      } else if (clock.now() - *away_since > kStoreAwayLimit) {
        throw;
      }
    }
    if (limit.isReached() || interrupt.signal() != 0) {
      context.err() << progress.finish() << std::flush;
      return std::nullopt;
    }
    pause.waitFor({}, std::min<runtime::Duration>(kLookEvery, limit.left()));
  }
}

/// False while somebody is about to lead the task out of its state.
bool isSettled(proto::TaskState state) {
  switch (state) {
    case proto::TaskState::kPausing:
    case proto::TaskState::kResuming:
    case proto::TaskState::kModifying:
    case proto::TaskState::kCancelling:
    case proto::TaskState::kReverting:
      return false;
    default:
      return true;
  }
}

bool take(std::string_view& text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return false;
  text.remove_prefix(word.size());
  return true;
}

bool takeNumber(std::string_view& text) {
  const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  text.remove_prefix(end);
  return end != 0;
}

/// True for what a cancel of a task, or of one of its subtasks, writes. Errors of plugins may quote it.
bool isCancelText(std::string_view text) {
  if (text == "cancelled by user") return true;
  return take(text, "subtask ") && takeNumber(text) && take(text, " of step ") && takeNumber(text) &&
         take(text, " was cancelled by user ");
}

}  // namespace

bool isPassing(const Error& error) {
  return error.code() == ErrorCode::kStoreUnavailable || error.code() == ErrorCode::kStoreTooMany ||
         error.code() == ErrorCode::kStoreKilled || error.code() == ErrorCode::kTimedOut ||
         error.code() == ErrorCode::kStoreConflict;
}

bool wasCancelled(const proto::Task& task) {
  return task.state == proto::TaskState::kReverted && isCancelText(task.error);
}

std::string_view outcomeOf(const proto::Task& task) {
  if (!proto::isDone(task.state)) return "";
  if (task.state == proto::TaskState::kSucceed) return "succeeded";
  return wasCancelled(task) ? "cancelled" : "failed";
}

std::string stateText(const proto::Task& task) {
  auto text = std::string(proto::toString(task.state));
  if (const auto outcome = outcomeOf(task); !outcome.empty() && task.state == proto::TaskState::kReverted)
    text += fmt::format(" ({})", outcome);
  return text;
}

int exitCodeOfEnd(const proto::Task& task) {
  if (task.state == proto::TaskState::kSucceed) return app::kExitClean;
  return wasCancelled(task) ? app::kCtlCancelled : app::kCtlFailed;
}

std::string taskGoesOn(const std::string& name) {
  return fmt::format("the task goes on. To cancel it: disttaskctl task cancel '{}'", name);
}

void sayInterrupted(Context& context, const std::string& what_stays) {
  context.err() << "\nno longer waiting; " << what_stays << '\n';
}

namespace {

/// Says why the wait ended before what was waited for; returns the exit code.
int leaveWait(Context& context, const InterruptWatch& interrupt, const std::string& what_stays) {
  if (interrupt.signal() != 0) {
    sayInterrupted(context, what_stays);
    return interrupt.exitCode();
  }
  context.err() << "the time limit passed; " << what_stays << '\n';
  return app::kCtlTimeLimit;
}

}  // namespace

int waitForTask(Context& context, proto::TaskId id, const WaitOptions& options, const std::string& what_stays) {
  const InterruptWatch interrupt;
  const auto task = watch(context, id, options, interrupt, [](proto::TaskState state) { return proto::isDone(state); });
  if (!task) return leaveWait(context, interrupt, what_stays);
  printTask(context, *task);
  return exitCodeOfEnd(*task);
}

int waitUntilSettled(
    Context& context,
    proto::TaskId id,
    const WaitOptions& options,
    const std::string& what_stays,
    std::initializer_list<proto::TaskState> wanted
) {
  const InterruptWatch interrupt;
  const auto task = watch(context, id, options, interrupt, isSettled);
  if (!task) return leaveWait(context, interrupt, what_stays);
  printTask(context, *task);
  if (proto::isDone(task->state)) return exitCodeOfEnd(*task);
  if (std::find(wanted.begin(), wanted.end(), task->state) != wanted.end()) return app::kExitClean;
  context.err() << fmt::format("task id:{} is {}: somebody else led it there\n", id.value(), toString(task->state));
  return app::kCtlRefused;
}

int execute(Context& context, const TaskWait& options) {
  return waitForTask(context, context.findTask(options.name).id, options.wait, taskGoesOn(options.name));
}

int execute(Context& context, const TaskCancel& options) {
  const auto task = context.findTask(options.name);
  if (!proto::isDone(task.state)) context.confirm(fmt::format("Cancel task '{}' (id:{})?", task.key, task.id.value()));
  const bool asked = context.store().clientTable().cancelTask(context.call(), task.id);
  if (asked) {
    context.nudgeOwner();
    context.err() << fmt::format("task id:{} is being cancelled\n", task.id.value());
  } else {
    const auto now = context.store().clientTable().findTask(context.call(), task.id);
    const auto state = now ? now->state : task.state;
    if (proto::isDone(state)) {
      throw Exception(
          ErrorCode::kPrecondition,
          fmt::format("task id:{} has ended already: {}", task.id.value(), proto::toString(state))
      );
    }
    context.err() << fmt::format("task id:{} is {} already\n", task.id.value(), proto::toString(state));
  }
  if (options.wait.wait) {
    const auto stays = fmt::format("the cancel goes on. To wait again: disttaskctl task wait '{}'", options.name);
    return waitForTask(context, task.id, options.wait, stays);
  }
  printChange(context, fmt::format("id:{}", task.id.value()), Json::Object{{"id", task.id.value()}, {"asked", asked}});
  return app::kExitClean;
}

}  // namespace disttask::ctl
