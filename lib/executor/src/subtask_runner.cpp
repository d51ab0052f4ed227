// What is done with one subtask: run, decide, hand the end over; and starts that need a look at the store first.
#include "disttask/base/failpoint.hpp"
#include "disttask/base/random.hpp"
#include "disttask/observability/log.hpp"
#include "end_writer.hpp"
#include "step_run.hpp"

namespace disttask::executor {

namespace {

using observability::Level;
using proto::TransitionOutcome;

/// What a row is made with.
constexpr std::string_view kEmptySummary = "{}";
/// Counters of a run without a result are for people: its end does not wait for them where the store is slow.
constexpr std::chrono::seconds kCountersLimit{1};
constexpr runtime::BackoffPolicy kStorePause{std::chrono::milliseconds(200), std::chrono::seconds(3), 0.2};

}  // namespace

void StepRun::startAlone(Item item) {
  auto& node = parts_.node;
  const observability::LogContext context(log_fields_, observability::Field("subtask_id", item.row.id));
  bool alone = false;
  try {
    // A row that was never begun cannot have ended a node: that spares the question for nearly all.
    alone = item.row.start_time != 0 && parts_.table.mustRunAlone(node.call(), item.row.id);
    if (item.row.left_out_bytes > 0 && !loadMeta(item)) return release(std::move(item));
  } catch (...) {
    ++node.counters.store_errors;
    {
      const std::lock_guard lock(mutex_);
      trouble_ = true;  // still pending: a later check finds it again
    }
    parts_.coordinator.notify();
    return release(std::move(item));
  }
  item.shared = Held::enter(node, step_source_.token(), alone);
  if (!item.shared || !start(item)) return release(std::move(item));
  runReady(std::move(item));
}

/// Reads a meta that was too large for the queue; false when the row is gone.
bool StepRun::loadMeta(Item& item) {
  auto meta = parts_.table.getSubtaskMeta(parts_.node.call(), item.row.id);
  if (!meta) return false;
  item.row.meta = std::move(*meta);
  item.row.left_out_bytes = 0;
  return true;
}

void StepRun::runReady(Item item) {
  auto& node = parts_.node;
  const observability::LogContext context(log_fields_, observability::Field("subtask_id", item.row.id));
  // Not from when its start was sent: a start that waits for a store that is away is no run, and the process must not
  // end for it. Before the looks at the cause and at the lease: whoever cancels afterwards finds it counted.
  item.run = Held::countRun(node);
  auto run =
      std::make_shared<SubtaskRun>(node, parts_.table, item.row.id, item.idempotent, static_cast<bool>(item.slots));
  std::optional<runtime::CancelCause> cause;
  {
    const std::lock_guard lock(mutex_);
    cause = cause_;
    if (!cause) runs_.emplace(item.row.id, run);
  }
  if (!cause && !node.lease.mayStart()) cause = runtime::CancelCause::kLeaseLost;
  if (cause) {
    // The task lost the right to run while its start was on the way: nothing has run, so nothing is lost by giving it
    // back.
    item.run.reset();
    {
      const std::lock_guard lock(mutex_);
      runs_.erase(item.row.id);
    }
    RunEnd end;
    end.id = item.row.id;
    end.write = decideEnd(RunResult::kFailed, *cause, /*idempotent=*/true);
    if (end.write == EndWrite::kLeave) {
      end.write = EndWrite::kGiveBack;
      node.unwritten.keep(std::move(end));
    } else {
      writeEnd(node, parts_.table, std::move(end));
    }
    return release(std::move(item));
  }

  if (observability::isEnabled(Level::kDebug)) observability::log(Level::kDebug, "subtask runs");
  auto result = RunResult::kSucceeded;
  std::optional<Error> error;
  const auto began = node.clock.now();
  try {
    DISTTASK_FAILPOINT("executor.after_start");
    executor_->runSubtask(*run, item.row);
    executor_->onFinished(*run, item.row);
    DISTTASK_FAILPOINT("executor.before_finish");
  } catch (const plugin::HandBack& e) {
    result = RunResult::kHandedBack;
    error = e.error();
  } catch (...) {
    error = currentError();
    const bool transient = isRetryable(*error) || error->code() == ErrorCode::kTimedOut;
    result = isRetryable(*error) ? RunResult::kRetryable : RunResult::kFailed;
    if (transient && run->metStoreFailure()) result = RunResult::kStoreAway;
  }
  if (node.on_returned) node.on_returned(task_.type, node.clock.now() - began);
  // From here on nobody looks at the run any more; only then is its row written.
  run->markReturned();
  run->keepLog(
      result == RunResult::kSucceeded && !run->token().cancelled() &&
      node.clock.now() - run->beganAt() < node.settings.summary_interval
  );
  item.run.reset();
  {
    const std::lock_guard lock(mutex_);
    runs_.erase(item.row.id);
  }
  endRun(std::move(item), *run, result, std::move(error));
}

bool StepRun::start(const Item& item) {
  auto& node = parts_.node;
  const auto token = step_source_.token();
  const runtime::Deadline window(node.clock, node.settings.retry_window);
  for (std::uint32_t attempt = 1;; ++attempt) {
    if (token.cancelled() || !taking_ || !node.lease.mayStart()) return false;
    try {
      const auto outcome = parts_.table.startSubtask(node.call(), item.row, node.settings.exec_id, item.idempotent);
      if (outcome != TransitionOutcome::kApplied) return false;  // moved, paused or canceled meanwhile
      ++node.counters.started;
      ++progress_;
      const std::lock_guard lock(mutex_);
      trouble_ = false;
      return true;
    } catch (...) {
      ++node.counters.store_errors;
      const auto error = currentError();
      if (node.vanish.token().cancelled()) return false;
      if (window.isReached()) {
        {
          const std::lock_guard lock(mutex_);
          trouble_ = true;
        }
        parts_.coordinator.notify();
        return false;
      }
      node.sampled.log(
          Level::kWarn,
          "start of a subtask could not be written, trying again",
          {{"subtask_id", item.row.id}, {"task_id", task_.id}, {"error", error.message()}}
      );
    }
    const double random = static_cast<double>(randomBelow(1000)) / 1000.0;
    runtime::Wakeup(node.clock).waitFor(token, runtime::backoffDelay(kStorePause, attempt, random));
  }
}

void StepRun::endRun(Item item, const SubtaskRun& run, RunResult result, std::optional<Error> error) {
  auto& node = parts_.node;
  const auto cause = run.token().cause();
  RunEnd end;
  end.id = item.row.id;
  end.write = decideEnd(result, cause, item.idempotent);
  if (node.settings.beside_dxf) {
    // DXF begins it again, finds it running, and fails it; and it moves no single row to another node.
    const bool asks_again = result == RunResult::kRetryable || (result == RunResult::kStoreAway && isRetryable(*error));
    if (asks_again && end.write == EndWrite::kFail) end.write = EndWrite::kFailNotIdempotent;
    if (end.write == EndWrite::kHandBack) end.write = EndWrite::kRetryLater;
  }
  end.error = std::move(error);
  end.backoff = parts_.options.backoff;
  end.retry_limit = parts_.options.retry_limit;
  const auto level = end.write == EndWrite::kFail || end.write == EndWrite::kFailNotIdempotent ? Level::kError
                     : end.write == EndWrite::kRetryLater || end.write == EndWrite::kHandBack  ? Level::kWarn
                                                                                               : Level::kDebug;
  if (end.error && level != Level::kDebug) {
    observability::log(
        level,
        "subtask ended with an error",
        *end.error,
        {{"task_id", task_.id},
         {"subtask_id", end.id},
         {"type", task_.type},
         {"step", task_.step},
         {"write", toString(end.write)}}
    );
  } else if (cause != runtime::CancelCause::kNone) {
    observability::log(
        Level::kInfo,
        "subtask run canceled",
        {{"task_id", task_.id}, {"subtask_id", end.id}, {"cause", toString(cause)}, {"write", toString(end.write)}}
    );
  }
  switch (end.write) {
    case EndWrite::kFinish:
      end.meta = std::move(item.row.meta);
      try {
        auto summary = executor_->realtimeSummary(run);
        // What an earlier run counted does not stand for this one.
        if (!summary && item.row.summary.size() > kEmptySummary.size()) summary.emplace();
        if (summary) end.summary = proto::toJson(*summary);
      } catch (...) {
        observability::log(Level::kWarn, "final summary of a subtask failed", currentError(), {{"subtask_id", end.id}});
      }
      return finish(std::move(item), std::move(end));
    case EndWrite::kLeave:
      end.write = item.idempotent ? EndWrite::kGiveBack : EndWrite::kFailNotIdempotent;
      node.unwritten.keep(std::move(end));
      break;
    default:
      // DXF writes the last ones of a run that failed by itself, and none of one that was cancelled.
      if (!node.settings.beside_dxf || cause == runtime::CancelCause::kNone) keepCounters(run);
      writeEnd(node, parts_.table, std::move(end));
  }
  ++progress_;
  release(std::move(item));
}

void StepRun::keepCounters(const SubtaskRun& run) {
  auto& node = parts_.node;
  if (node.vanish.token().cancelled()) return;
  try {
    const auto summary = executor_->realtimeSummary(run);
    if (!summary || *summary == proto::SubtaskSummary{}) return;
    const storage::Call call{node.vanish.token(), runtime::Deadline(node.clock, kCountersLimit)};
    static_cast<void>(parts_.table.updateSubtaskSummary(call, node.settings.exec_id, run.id(), proto::toJson(*summary))
    );
  } catch (...) {
    observability::log(
        Level::kDebug, "last summary of a subtask could not be kept", currentError(), {{"subtask_id", run.id()}}
    );
  }
}

void StepRun::writeAlone(End end) {
  const observability::LogContext context(log_fields_, observability::Field("subtask_id", end.end.id));
  writeEnd(parts_.node, parts_.table, std::move(end.end));
  release(std::move(end.item));
}

bool StepRun::isRetryable(const Error& error) {
  if (error.reaction() == Reaction::kRetry || error.reaction() == Reaction::kBackOff ||
      error.reaction() == Reaction::kReconnect) {
    return true;
  }
  try {
    return parts_.type.isRetryableError(error);
  } catch (...) {
    return false;
  }
}

}  // namespace disttask::executor
