// The ends of runs: every write of a running row, and what becomes of running rows that nobody runs.
#include "disttask/proto/row_error.hpp"
#include "disttask/storage/memory/memory_task_table.hpp"

#include <chrono>

namespace disttask::storage {

namespace {
constexpr std::string_view kNonIdempotentText = "subtask in running state and is not idempotent";
}

TransitionOutcome MemoryTaskTable::endRun(
    const Call& call,
    std::string_view method,
    const ExecId& exec_id,
    SubtaskId id,
    SubtaskState target,
    const Change& change
) {
  call.check(method);
  if (tokens_.live(id).value() == 0) return TransitionOutcome::kLost;
  const auto outcome = rows_.apply(call, method, [&](Data& data) {
    const auto at = data.subtasks.find(id);
    if (at == data.subtasks.end()) return TransitionOutcome::kMissing;
    auto& row = at->second;
    if (row.exec_id != exec_id || !tokens_.isLive(id, row.token)) return TransitionOutcome::kLost;
    // An earlier try whose answer was lost.
    if (row.state == target) return TransitionOutcome::kApplied;
    if (row.state != SubtaskState::kRunning) return TransitionOutcome::kLost;
    row.state = target;
    row.state_update_time = data.nowSeconds();
    if (proto::isDone(target)) row.end_time = data.nowSeconds();
    change(data, row);
    return TransitionOutcome::kApplied;
  });
  tokens_.end(id);
  return outcome;
}

TransitionOutcome MemoryTaskTable::finishSubtask(
    const Call& call,
    const ExecId& exec_id,
    SubtaskId id,
    const std::string& meta,
    const std::optional<std::string>& summary
) {
  return endRun(call, "finishSubtask", exec_id, id, SubtaskState::kSucceed, [&](Data&, proto::Subtask& row) {
    row.meta = meta;
    if (summary) row.summary = *summary;
  });
}

std::vector<RunWriteResult> MemoryTaskTable::writeRuns(
    const Call& call, const ExecId& exec_id, const std::vector<RunWrite>& writes
) {
  call.check("writeRuns");
  std::vector<RunWriteResult> results(writes.size());
  for (std::size_t i = 0; i < writes.size(); ++i) {
    try {
      if (const auto* finish = std::get_if<RunFinish>(&writes[i])) {
        results[i].outcome = finishSubtask(call, exec_id, finish->id, finish->meta, finish->summary);
        continue;
      }
      const auto& start = std::get<RunStart>(writes[i]);
      proto::SubtaskBase row;
      row.id = start.id;
      row.task_id = start.as_read.task_id;
      row.step = start.as_read.step;
      row.ordinal = start.as_read.ordinal;
      row.token = start.as_read.token_before;
      results[i].outcome = startSubtask(call, row, exec_id, start.idempotent);
    } catch (...) {
      results[i].error = currentError();
    }
  }
  return results;
}

TransitionOutcome MemoryTaskTable::updateSubtaskStateAndError(
    const Call& call, const ExecId& exec_id, SubtaskId id, SubtaskState state, const std::optional<Error>& error
) {
  if (state != SubtaskState::kFailed && state != SubtaskState::kCanceled && state != SubtaskState::kPaused) {
    throw Exception(
        ErrorCode::kInvalidArgument, "a run ends as failed, canceled or paused, not " + std::string(toString(state))
    );
  }
  return endRun(call, "updateSubtaskStateAndError", exec_id, id, state, [&](Data&, proto::Subtask& row) {
    // As an error column keeps it: valid UTF-8, cut.
    row.error = error ? proto::decodeRowError(proto::encodeRowError(error->message())) : std::string();
  });
}

TransitionOutcome MemoryTaskTable::giveBackSubtask(const Call& call, const ExecId& exec_id, SubtaskId id) {
  try {
    return endRun(call, "giveBackSubtask", exec_id, id, SubtaskState::kPending, [](Data&, proto::Subtask&) {});
  } catch (...) {
    // The run has returned: when the row is found running, that is no abnormal end.
    tokens_.abandon(id, PastRun::kReturned);
    throw;
  }
}

TransitionOutcome MemoryTaskTable::retrySubtaskLater(
    const Call& call,
    const ExecId& exec_id,
    SubtaskId id,
    const Error& error,
    runtime::Duration delay,
    std::int32_t& retries
) {
  const auto outcome =
      endRun(call, "retrySubtaskLater", exec_id, id, SubtaskState::kPending, [&](Data& data, proto::Subtask&) {
        auto& attempt = data.attempts[id];
        ++attempt.retries;
        attempt.last_error = error.message();
        attempt.not_before_ms = data.now_ms + std::chrono::duration_cast<std::chrono::milliseconds>(delay).count();
      });
  if (outcome == TransitionOutcome::kApplied) {
    rows_.change([&](Data& data) { retries = data.attempts[id].retries; });
  }
  return outcome;
}

TransitionOutcome MemoryTaskTable::handBackSubtask(
    const Call& call, const ExecId& exec_id, SubtaskId id, const Error& error
) {
  return endRun(call, "handBackSubtask", exec_id, id, SubtaskState::kPending, [&](Data& data, proto::Subtask&) {
    auto& attempt = data.attempts[id];
    attempt.handed_back.insert(exec_id);
    attempt.last_error = error.message();
  });
}

TransitionOutcome MemoryTaskTable::writeRunning(
    const Call& call, std::string_view method, const ExecId& exec_id, SubtaskId id, const Change& change
) {
  if (tokens_.live(id).value() == 0) return TransitionOutcome::kLost;
  return rows_.apply(call, method, [&](Data& data) {
    const auto at = data.subtasks.find(id);
    if (at == data.subtasks.end()) return TransitionOutcome::kMissing;
    auto& row = at->second;
    if (row.exec_id != exec_id || row.state != SubtaskState::kRunning || !tokens_.isLive(id, row.token)) {
      return TransitionOutcome::kLost;
    }
    change(data, row);
    return TransitionOutcome::kApplied;
  });
}

TransitionOutcome MemoryTaskTable::updateSubtaskSummary(
    const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& summary
) {
  return writeRunning(call, "updateSubtaskSummary", exec_id, id, [&](Data&, proto::Subtask& row) {
    row.summary = summary;
  });
}

TransitionOutcome MemoryTaskTable::updateSubtaskCheckpoint(
    const Call& call, const ExecId& exec_id, SubtaskId id, const std::string& checkpoint
) {
  // After an unknown outcome the next write also changes the token, so that the older one can not land over it (design
  // rule 7).
  const bool fence = tokens_.isCheckpointInDoubt(id);
  const auto token = fence ? tokens_.renew(id) : tokens_.live(id);
  try {
    const auto outcome =
        writeRunning(call, "updateSubtaskCheckpoint", exec_id, id, [&](Data& data, proto::Subtask& row) {
          data.checkpoints[id] = checkpoint;
          row.token = token;
        });
    if (outcome == TransitionOutcome::kApplied) {
      tokens_.confirm(id, token);
      tokens_.setCheckpointInDoubt(id, false);
    }
    return outcome;
  } catch (...) {
    tokens_.setCheckpointInDoubt(id, true);
    throw;
  }
}

std::vector<std::pair<SubtaskId, OrphanOutcome>> MemoryTaskTable::takeOrphans(
    const Call& call, const ExecId& exec_id, TaskId task_id, std::int32_t max_abnormal_ends
) {
  return rows_.apply(call, "takeOrphans", [&](Data& data) {
    std::vector<std::pair<SubtaskId, OrphanOutcome>> taken;
    for (auto& [id, row] : data.subtasks) {
      if (row.exec_id != exec_id || row.task_id != task_id || row.state != SubtaskState::kRunning) continue;
      if (tokens_.isLive(id, row.token)) continue;
      if (isUnmarked(row)) {
        taken.emplace_back(id, OrphanOutcome::kUnmarked);
        continue;
      }
      std::string failure;
      const auto past = tokens_.pastOf(row.token);
      if (past == PastRun::kUnknown) {
        auto& attempt = data.attempts[id];
        if (row.token.value() == 0 || attempt.last_token != row.token.value()) {
          if (attempt.abnormal_ends >= 2) ++attempt.ends_alone;
          ++attempt.abnormal_ends;
          attempt.last_token = row.token.value();
        }
        if (attempt.ends_alone >= max_abnormal_ends) {
          failure = "ended its node " + std::to_string(attempt.abnormal_ends) + " times";
        }
      }
      if (past == PastRun::kUnknown && !proto::isIdempotent(row.token)) failure = kNonIdempotentText;
      row.state = failure.empty() ? SubtaskState::kPending : SubtaskState::kFailed;
      row.state_update_time = data.nowSeconds();
      if (!failure.empty()) {
        row.error = failure;
        row.end_time = data.nowSeconds();
      }
      taken.emplace_back(id, failure.empty() ? OrphanOutcome::kGivenBack : OrphanOutcome::kFailed);
    }
    return taken;
  });
}

OrphanOutcome MemoryTaskTable::takeUnmarked(const Call& call, const proto::SubtaskBase& subtask, bool idempotent) {
  return rows_.apply(call, "takeUnmarked", [&](Data& data) {
    const auto at = data.subtasks.find(subtask.id);
    if (at == data.subtasks.end()) return OrphanOutcome::kLost;
    auto& row = at->second;
    if (!isUnmarked(row) || row.state != SubtaskState::kRunning || row.exec_id != subtask.exec_id)
      return OrphanOutcome::kLost;
    row.state = idempotent ? SubtaskState::kPending : SubtaskState::kFailed;
    row.state_update_time = data.nowSeconds();
    if (!idempotent) row.error = kNonIdempotentText;
    return idempotent ? OrphanOutcome::kGivenBack : OrphanOutcome::kFailed;
  });
}

}  // namespace disttask::storage
