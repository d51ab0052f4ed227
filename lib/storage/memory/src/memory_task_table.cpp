#include "disttask/storage/memory/memory_task_table.hpp"

#include <algorithm>
#include <chrono>

namespace disttask::storage {

namespace {

// A not-before beyond the longest back-off is a mistake of some clock: it counts as now (design rule 9).
constexpr std::int64_t kLongestBackoffMillis = 3'600'000;
constexpr const char* kNonIdempotentText = "subtask in running state and is not idempotent";

template <typename Value>
bool contains(const std::vector<Value>& values, const Value& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool mayRunNow(const MemoryRows::Data& data, SubtaskId id, const ExecId& exec_id) {
  const auto at = data.attempts.find(id);
  if (at == data.attempts.end()) return true;
  const auto wait = at->second.not_before_ms - data.now_ms;
  return (wait <= 0 || wait > kLongestBackoffMillis) && !at->second.handed_back.contains(exec_id);
}

}  // namespace

std::vector<proto::TaskExecInfo> MemoryTaskTable::getTaskExecInfoByExecId(const Call& call, const ExecId& exec_id) {
  return rows_.apply(call, "getTaskExecInfoByExecId", [&](Data& data) {
    std::map<TaskId, std::int32_t> slots;
    for (const auto& [id, row] : data.subtasks) {
      if (row.exec_id != exec_id) continue;
      if (row.state != SubtaskState::kPending && row.state != SubtaskState::kRunning) continue;
      slots[row.task_id] = std::max(slots[row.task_id], row.slots);
    }
    std::vector<proto::TaskExecInfo> infos;
    for (const auto& [id, most] : slots) {
      const auto task = data.tasks.find(id);
      if (task == data.tasks.end()) continue;
      const auto state = task->second.state;
      if (state != TaskState::kRunning && state != TaskState::kReverting && state != TaskState::kPausing) continue;
      infos.push_back({static_cast<const proto::TaskBase&>(task->second), most});
    }
    std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return outranks(a.task, b.task); });
    return infos;
  });
}

std::vector<proto::Task> MemoryTaskTable::getTasksInStates(const Call& call, const std::vector<TaskState>& states) {
  if (states.empty()) return {};
  return rows_.apply(call, "getTasksInStates", [&](Data& data) {
    std::vector<proto::Task> tasks;
    for (const auto& [id, task] : data.tasks) {
      if (contains(states, task.state)) tasks.push_back(task);
    }
    std::sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return outranks(a, b); });
    return tasks;
  });
}

std::optional<proto::Task> MemoryTaskTable::getTaskById(const Call& call, TaskId id) {
  return rows_.apply(call, "getTaskById", [&](Data& data) -> std::optional<proto::Task> {
    const auto at = data.tasks.find(id);
    return at == data.tasks.end() ? std::nullopt : std::optional(at->second);
  });
}

std::optional<proto::TaskBase> MemoryTaskTable::getTaskBaseById(const Call& call, TaskId id) {
  return rows_.apply(call, "getTaskBaseById", [&](Data& data) -> std::optional<proto::TaskBase> {
    const auto at = data.tasks.find(id);
    if (at == data.tasks.end()) return std::nullopt;
    return static_cast<const proto::TaskBase&>(at->second);
  });
}

std::vector<proto::Subtask> MemoryTaskTable::getSubtasksByExecIdAndStepAndStates(
    const Call& call,
    const ExecId& exec_id,
    TaskId task_id,
    Step step,
    const SubtaskStates& states,
    const PickLimits& limits
) {
  return rows_.apply(call, "getSubtasksByExecIdAndStepAndStates", [&](Data& data) {
    std::vector<proto::Subtask> found;
    for (const auto& [id, row] : data.subtasks) {
      if (row.exec_id != exec_id || row.task_id != task_id || row.step != step || !contains(states, row.state))
        continue;
      const bool pending = row.state == SubtaskState::kPending;
      if (pending && (!mayRunNow(data, id, exec_id) || row.ordinal <= limits.after_ordinal)) continue;
      found.push_back(row);
      const auto bytes = static_cast<std::int64_t>(row.meta.size());
      if (pending && limits.max_meta_bytes > 0 && bytes > limits.max_meta_bytes) {
        found.back().meta.clear();
        found.back().left_out_bytes = bytes;
      }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.ordinal < b.ordinal; });
    if (limits.rows <= 0) return found;
    std::map<SubtaskState, std::int32_t> taken;
    std::erase_if(found, [&](const auto& row) { return ++taken[row.state] > limits.rows; });
    return found;
  });
}

std::optional<std::string> MemoryTaskTable::getSubtaskMeta(const Call& call, SubtaskId id) {
  return rows_.apply(call, "getSubtaskMeta", [&](Data& data) -> std::optional<std::string> {
    const auto at = data.subtasks.find(id);
    return at == data.subtasks.end() ? std::nullopt : std::optional(at->second.meta);
  });
}

std::optional<proto::Subtask> MemoryTaskTable::getFirstSubtaskInStates(
    const Call& call, const ExecId& exec_id, TaskId task_id, Step step, const SubtaskStates& states
) {
  const auto rows = getSubtasksByExecIdAndStepAndStates(call, exec_id, task_id, step, states);
  const auto running =
      std::find_if(rows.begin(), rows.end(), [](const auto& row) { return row.state == SubtaskState::kRunning; });
  if (running != rows.end()) return *running;
  return rows.empty() ? std::nullopt : std::optional(rows.front());
}

bool MemoryTaskTable::hasSubtasksInStates(
    const Call& call, const ExecId& exec_id, TaskId task_id, Step step, const SubtaskStates& states
) {
  return rows_.apply(call, "hasSubtasksInStates", [&](Data& data) {
    return std::any_of(data.subtasks.begin(), data.subtasks.end(), [&](const auto& entry) {
      const auto& row = entry.second;
      return row.exec_id == exec_id && row.task_id == task_id && row.step == step && contains(states, row.state);
    });
  });
}

void MemoryTaskTable::initMeta(const Call& call, const ExecId& exec_id, const std::string& role, std::int32_t slots) {
  rows_.apply(call, "initMeta", [&](Data& data) { data.metas[exec_id] = {role, slots}; });
}

void MemoryTaskTable::recoverMeta(
    const Call& call, const ExecId& exec_id, const std::string& role, std::int32_t slots
) {
  rows_.apply(call, "recoverMeta", [&](Data& data) {
    const auto [at, added] = data.metas.try_emplace(exec_id, MemoryMeta{role, slots});
    if (!added) at->second.slots = slots;
  });
}

TransitionOutcome MemoryTaskTable::startSubtask(
    const Call& call, const proto::SubtaskBase& subtask, const ExecId& exec_id, bool idempotent
) {
  call.check("startSubtask");
  const auto token = tokens_.begin(subtask.id, idempotent);
  if (!token) return TransitionOutcome::kLost;
  tokens_.noteStart(subtask.id, {subtask.task_id, subtask.step, subtask.ordinal, subtask.token});
  try {
    const auto outcome = rows_.apply(call, "startSubtask", [&](Data& data) {
      const auto at = data.subtasks.find(subtask.id);
      if (at == data.subtasks.end()) return TransitionOutcome::kMissing;
      auto& row = at->second;
      const bool same = row.task_id == subtask.task_id && row.step == subtask.step && row.ordinal == subtask.ordinal;
      if (!same || row.exec_id != exec_id || row.state != SubtaskState::kPending) return TransitionOutcome::kLost;
      row.state = SubtaskState::kRunning;
      row.token = *token;
      row.start_time = row.state_update_time = data.nowSeconds();
      return TransitionOutcome::kApplied;
    });
    if (outcome != TransitionOutcome::kApplied) tokens_.abandon(subtask.id, PastRun::kNeverBegun);
    return outcome;
  } catch (...) {
    // Nothing runs under it: the row, if the start was applied after all, is an orphan that was never begun.
    tokens_.abandon(subtask.id, PastRun::kNeverBegun);
    throw;
  }
}

TransitionOutcome MemoryTaskTable::failSubtask(
    const Call& call, const ExecId& exec_id, TaskId task_id, const Error& error
) {
  return rows_.apply(call, "failSubtask", [&](Data& data) {
    proto::Subtask* best = nullptr;
    const auto better = [](const proto::Subtask& a, const proto::Subtask& b) {
      const auto rank = [](const proto::Subtask& row) {
        return std::tuple(row.state == SubtaskState::kPending ? 0 : 1, row.ordinal, row.id);
      };
      return rank(a) < rank(b);
    };
    for (auto& [id, row] : data.subtasks) {
      if (row.exec_id != exec_id || row.task_id != task_id) continue;
      const bool idle_running = row.state == SubtaskState::kRunning && !tokens_.isLive(id, row.token);
      if (row.state != SubtaskState::kPending && !idle_running) continue;
      if (best == nullptr || better(row, *best)) best = &row;
    }
    if (best == nullptr) return TransitionOutcome::kMissing;
    best->state = SubtaskState::kFailed;
    best->error = error.message();
    if (best->start_time == 0) best->start_time = data.nowSeconds();
    best->state_update_time = best->end_time = data.nowSeconds();
    return TransitionOutcome::kApplied;
  });
}

std::int64_t MemoryTaskTable::takeRest(
    const Call& call, std::string_view method, const ExecId& exec_id, TaskId task_id, SubtaskState target
) {
  return rows_.apply(call, method, [&](Data& data) {
    std::int64_t changed = 0;
    for (auto& [id, row] : data.subtasks) {
      if (row.exec_id != exec_id || row.task_id != task_id) continue;
      const bool idle_running = row.state == SubtaskState::kRunning && !tokens_.isLive(id, row.token);
      const bool pending = shared_with_dxf_ && row.state == SubtaskState::kPending;
      if (!idle_running && !pending) continue;
      // One that may not run twice is never paused (design rule 12): nobody knows how far it came.
      const bool may_wait = !idle_running || isUnmarked(row) || proto::isIdempotent(row.token) ||
                            tokens_.pastOf(row.token) != PastRun::kUnknown;
      row.state = target == SubtaskState::kPaused && !may_wait ? SubtaskState::kFailed : target;
      const bool failed = row.state == SubtaskState::kFailed;
      if (failed) row.error = kNonIdempotentText;
      row.state_update_time = data.nowSeconds();
      if (proto::isDone(row.state) && !(failed && shared_with_dxf_)) {  // DXF writes such a failure without an end
        row.end_time = data.nowSeconds();
        if (row.start_time == 0) row.start_time = data.nowSeconds();
      }
      ++changed;
    }
    return changed;
  });
}

std::int64_t MemoryTaskTable::cancelSubtask(const Call& call, const ExecId& exec_id, TaskId task_id) {
  return takeRest(call, "cancelSubtask", exec_id, task_id, SubtaskState::kCanceled);
}

std::int64_t MemoryTaskTable::pauseSubtasks(const Call& call, const ExecId& exec_id, TaskId task_id) {
  return takeRest(call, "pauseSubtasks", exec_id, task_id, SubtaskState::kPaused);
}

std::int64_t MemoryTaskTable::runningSubtasksBack2Pending(
    const Call& call, const std::vector<proto::SubtaskBase>& subtasks
) {
  if (subtasks.empty()) return 0;
  return rows_.apply(call, "runningSubtasksBack2Pending", [&](Data& data) {
    std::int64_t changed = 0;
    for (const auto& seen : subtasks) {
      const auto at = data.subtasks.find(seen.id);
      if (at == data.subtasks.end()) continue;
      auto& row = at->second;
      if (row.exec_id != seen.exec_id || row.state != SubtaskState::kRunning || row.token != seen.token) continue;
      if (tokens_.isLive(seen.id, row.token)) continue;
      row.state = SubtaskState::kPending;
      row.state_update_time = data.nowSeconds();
      ++changed;
    }
    return changed;
  });
}

std::string MemoryTaskTable::getSubtaskCheckpoint(const Call& call, SubtaskId id) {
  return rows_.apply(call, "getSubtaskCheckpoint", [&](Data& data) {
    const auto at = data.checkpoints.find(id);
    return at == data.checkpoints.end() ? std::string() : at->second;
  });
}

std::int32_t MemoryTaskTable::getSubtaskRetries(const Call& call, SubtaskId id) {
  return rows_.apply(call, "getSubtaskRetries", [&](Data& data) {
    const auto at = data.attempts.find(id);
    return at == data.attempts.end() ? 0 : at->second.retries;
  });
}

std::vector<SubtaskId> MemoryTaskTable::findLostRuns(
    const Call& call, const ExecId& exec_id, const std::vector<SubtaskId>& running
) {
  if (running.empty()) return {};
  return rows_.apply(call, "findLostRuns", [&](Data& data) {
    std::vector<SubtaskId> lost;
    for (const auto id : running) {
      const auto at = data.subtasks.find(id);
      if (at != data.subtasks.end() && at->second.exec_id == exec_id && at->second.state == SubtaskState::kPending) {
        auto& row = at->second;
        // A start that a failover lost is written again.
        if (tokens_.startedAs(id) == StartedAs{row.task_id, row.step, row.ordinal, row.token}) {
          row.state = SubtaskState::kRunning;
          row.token = tokens_.live(id);
        }
      }
      const bool ours = at != data.subtasks.end() && at->second.exec_id == exec_id &&
                        at->second.state == SubtaskState::kRunning && tokens_.isLive(id, at->second.token);
      // A run whose end is confirmed is no lost one.
      if (!ours && tokens_.live(id).value() != 0) lost.push_back(id);
    }
    return lost;
  });
}

proto::RunToken MemoryTaskTable::liveToken(SubtaskId id) const {
  return tokens_.live(id);
}

bool MemoryTaskTable::mustRunAlone(const Call& call, SubtaskId id) {
  return rows_.apply(call, "mustRunAlone", [&](Data& data) {
    const auto at = data.attempts.find(id);
    return at != data.attempts.end() && at->second.abnormal_ends >= 2;
  });
}

}  // namespace disttask::storage
