#include "end_writer.hpp"

#include "disttask/base/random.hpp"
#include "disttask/executor/errors.hpp"
#include "disttask/observability/log.hpp"

namespace disttask::executor {

namespace {

using observability::Level;
using proto::SubtaskState;
using proto::TransitionOutcome;

constexpr runtime::BackoffPolicy kStorePause{std::chrono::milliseconds(200), std::chrono::seconds(3), 0.2};

double randomPart() {
  return static_cast<double>(randomBelow(1000)) / 1000.0;
}

/// Sends one write; `applied` gets the counter that belongs to it.
TransitionOutcome send(
    NodeServices& node,
    storage::TaskTable& table,
    const storage::Call& call,
    const RunEnd& end,
    std::atomic<std::int64_t>*& applied
) {
  const auto& exec_id = node.settings.exec_id;
  auto& counters = node.counters;
  const auto fail = [&](const Error& error) {
    applied = &counters.failed;
    return table.updateSubtaskStateAndError(call, exec_id, end.id, SubtaskState::kFailed, error);
  };
  switch (end.write) {
    case EndWrite::kFinish:
      applied = &counters.succeeded;
      return table.finishSubtask(call, exec_id, end.id, end.meta, end.summary);
    case EndWrite::kFail:
      return fail(*end.error);
    case EndWrite::kFailNotIdempotent:
      return fail(errNonIdempotentSubtask());
    case EndWrite::kCancel:
      applied = &counters.canceled;
      return table.updateSubtaskStateAndError(call, exec_id, end.id, SubtaskState::kCanceled, std::nullopt);
    case EndWrite::kPause:
      applied = &counters.paused;
      return table.updateSubtaskStateAndError(call, exec_id, end.id, SubtaskState::kPaused, std::nullopt);
    case EndWrite::kRetryLater: {
      const auto retries = table.getSubtaskRetries(call, end.id);
      if (retries >= end.retry_limit) {
        auto error = *end.error;
        if (retries > 0) error.addContext("gave up after " + std::to_string(retries) + " retries");
        return fail(error);
      }
      applied = &counters.retried;
      const auto delay = runtime::backoffDelay(end.backoff, static_cast<std::uint32_t>(retries) + 1, randomPart());
      std::int32_t now = 0;
      return table.retrySubtaskLater(call, exec_id, end.id, *end.error, delay, now);
    }
    case EndWrite::kHandBack:
      applied = &counters.handed_back;
      return table.handBackSubtask(call, exec_id, end.id, *end.error);
    case EndWrite::kGiveBack:
    case EndWrite::kLeave:
      break;
  }
  applied = &counters.given_back;
  return table.giveBackSubtask(call, exec_id, end.id);
}

}  // namespace

void noteEndOutcome(
    NodeServices& node,
    proto::SubtaskId id,
    EndWrite write,
    TransitionOutcome outcome,
    std::atomic<std::int64_t>& applied
) {
  if (outcome == TransitionOutcome::kApplied) {
    ++applied;
    if (observability::isEnabled(Level::kDebug)) {
      observability::log(
          Level::kDebug, "end of a subtask is written", {{"subtask_id", id}, {"write", toString(write)}}
      );
    }
    return;
  }
  ++node.counters.lost;
  observability::log(
      Level::kInfo,
      "subtask is not ours any more, its result is dropped",
      {{"subtask_id", id}, {"write", toString(write)}, {"outcome", proto::toString(outcome)}}
  );
}

void refuseResult(RunEnd& end, const Error& refusal) {
  end.write = EndWrite::kFail;
  end.error = Error(refusal).addContext("the store refuses the result");
  end.meta.clear();
  end.summary.reset();
  observability::log(
      Level::kError, "the store refuses the result of a subtask, it fails", refusal, {{"subtask_id", end.id}}
  );
}

void writeEndOnce(NodeServices& node, storage::TaskTable& table, const storage::Call& call, RunEnd& end) {
  std::atomic<std::int64_t>* applied = nullptr;
  auto outcome = TransitionOutcome::kLost;
  try {
    outcome = send(node, table, call, end, applied);
  } catch (const Exception& e) {
    if (end.write != EndWrite::kFinish || e.error().code() != ErrorCode::kStoreContent) throw;
    refuseResult(end, e.error());
    outcome = send(node, table, call, end, applied);
  }
  noteEndOutcome(node, end.id, end.write, outcome, *applied);
}

void writeEnd(NodeServices& node, storage::TaskTable& table, RunEnd end) {
  const runtime::Deadline window(node.clock, node.settings.retry_window);
  const auto vanished = node.vanish.token();
  for (std::uint32_t attempt = 1;; ++attempt) {
    try {
      writeEndOnce(node, table, node.call(), end);
      return;
    } catch (...) {
      if (vanished.cancelled()) return;
      ++node.counters.store_errors;
      const auto error = currentError();
      // A give-back that failed needs no second try: the row is an orphan now, and the next check finds it.
      if (table.liveToken(end.id).value() == 0) return;
      if (window.isReached() || node.hurry) {
        observability::log(
            Level::kWarn,
            "end of a subtask could not be written in time, kept for a later check",
            error,
            {{"subtask_id", end.id}, {"write", toString(end.write)}}
        );
        node.unwritten.keep(std::move(end));
        return;
      }
      node.sampled.log(
          Level::kWarn,
          "end of a subtask could not be written, trying again",
          {{"subtask_id", end.id}, {"write", toString(end.write)}, {"error", error.message()}}
      );
    }
    runtime::Wakeup(node.clock).waitFor(vanished, runtime::backoffDelay(kStorePause, attempt, randomPart()));
  }
}

std::size_t flushUnwrittenEnds(NodeServices& node, storage::TaskTable& table) {
  const runtime::Deadline last_chance(node.clock, 2 * node.settings.call_timeout);
  for (auto left = node.unwritten.size(); left > 0; --left) {
    auto end = node.unwritten.take();
    if (!end) break;
    try {
      writeEndOnce(node, table, node.call(), *end);
    } catch (...) {
      ++node.counters.store_errors;
      const bool is_away = currentError().code() == ErrorCode::kStoreUnavailable;
      if (table.liveToken(end->id).value() != 0) node.unwritten.keep(std::move(*end));
      // A later check goes on with the next one. At a stop there is none, and one row may be locked.
      if (!node.hurry || is_away || last_chance.isReached()) break;
    }
  }
  return node.unwritten.size();
}

}  // namespace disttask::executor
