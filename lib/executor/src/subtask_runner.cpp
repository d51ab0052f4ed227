// What a runner thread does with one subtask: start, run, decide, write the end.
#include "disttask/base/failpoint.hpp"
#include "disttask/base/random.hpp"
#include "disttask/observability/log.hpp"
#include "end_writer.hpp"
#include "step_run.hpp"

namespace disttask::executor {

namespace {

using observability::Level;
using proto::TransitionOutcome;

constexpr runtime::BackoffPolicy kStorePause{std::chrono::milliseconds(200), std::chrono::seconds(3), 0.2};

/// Leaves the node's exclusive place when the runner is done with the subtask.
class ExclusivePlace {
 public:
  ExclusivePlace(NodeExclusive& exclusive, const runtime::CancelToken& token, bool alone)
      : exclusive_(exclusive), alone_(alone), entered_(exclusive.enter(token, alone)) {}
  ExclusivePlace(const ExclusivePlace&) = delete;
  ExclusivePlace& operator=(const ExclusivePlace&) = delete;
  ~ExclusivePlace() {
    if (entered_) exclusive_.leave(alone_);
  }
  [[nodiscard]] bool entered() const noexcept { return entered_; }

 private:
  NodeExclusive& exclusive_;
  const bool alone_;
  const bool entered_;
};

/// Counts a run from before its start is sent until it has returned.
class LiveRun {
 public:
  explicit LiveRun(ExecutorCounters& counters) : counters_(counters) { ++counters_.live_runs; }
  LiveRun(const LiveRun&) = delete;
  LiveRun& operator=(const LiveRun&) = delete;
  ~LiveRun() { end(); }
  void end() noexcept {
    if (counts_) --counters_.live_runs;
    counts_ = false;
  }

 private:
  ExecutorCounters& counters_;
  bool counts_ = true;
};

}  // namespace

void StepRun::runItem(Item item) {
  auto& node = parts_.node;
  const auto token = step_source_.token();
  bool alone = false;
  try {
    // A row that was never begun cannot have ended a node: that spares the question for nearly all.
    alone = item.row.start_time != 0 && parts_.table.mustRunAlone(node.call(), item.row.id);
  } catch (...) {
    ++node.counters.store_errors;
    const std::lock_guard lock(mutex_);
    trouble_ = true;  // still pending: a later check finds it again
    return;
  }
  const ExclusivePlace place(node.exclusive, token, alone);
  if (!place.entered()) return;
  LiveRun live(node.counters);
  if (!start(item)) return;

  auto run = std::make_shared<SubtaskRun>(node, parts_.table, item.row.id, item.idempotent);
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
    live.end();
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
    return;
  }

  auto result = RunResult::kSucceeded;
  std::optional<Error> error;
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
  // From here on nobody looks at the run any more; only then is its row written.
  run->markReturned();
  live.end();
  {
    const std::lock_guard lock(mutex_);
    runs_.erase(item.row.id);
  }
  writeRunEnd(*run, item, result, std::move(error));
  ++progress_;
}

bool StepRun::start(const Item& item) {
  auto& node = parts_.node;
  const auto token = step_source_.token();
  const runtime::Deadline window(node.clock, node.settings.retry_window);
  for (std::uint32_t attempt = 1;; ++attempt) {
    if (token.cancelled() || !node.lease.mayStart()) return false;
    try {
      const auto outcome = parts_.table.startSubtask(node.call(), item.row, node.settings.exec_id, item.idempotent);
      if (outcome != TransitionOutcome::kApplied) return false;  // moved, paused or canceled meanwhile
      ++node.counters.started;
      ++progress_;
      return true;
    } catch (...) {
      ++node.counters.store_errors;
      const auto error = currentError();
      if (node.vanish.token().cancelled()) return false;
      if (window.isReached()) {
        const std::lock_guard lock(mutex_);
        trouble_ = true;
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

void StepRun::writeRunEnd(const SubtaskRun& run, Item& item, RunResult result, std::optional<Error> error) {
  auto& node = parts_.node;
  const auto cause = run.token().cause();
  RunEnd end;
  end.id = item.row.id;
  end.write = decideEnd(result, cause, item.idempotent);
  end.error = std::move(error);
  end.backoff = parts_.options.backoff;
  end.retry_limit = parts_.options.retry_limit;
  if (end.write == EndWrite::kFinish) {
    end.meta = std::move(item.row.meta);
    try {
      if (const auto summary = executor_->realtimeSummary(run)) end.summary = proto::toJson(*summary);
    } catch (...) {
      observability::log(Level::kWarn, "final summary of a subtask failed", currentError(), {{"subtask_id", end.id}});
    }
  }
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
  if (end.write == EndWrite::kLeave) {
    end.write = item.idempotent ? EndWrite::kGiveBack : EndWrite::kFailNotIdempotent;
    node.unwritten.keep(std::move(end));
    return;
  }
  writeEnd(node, parts_.table, std::move(end));
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
