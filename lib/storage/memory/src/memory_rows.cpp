#include "disttask/storage/memory/memory_rows.hpp"

#include "disttask/base/random.hpp"

#include <algorithm>

namespace disttask::storage {

namespace {
// The store's time starts here, so that 0 can mean NULL.
constexpr std::int64_t kEpochMillis = 1'700'000'000'000;
}  // namespace

std::int64_t MemoryRows::storeMillis() const noexcept {
  return kEpochMillis + std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now().time_since_epoch()).count();
}

proto::TaskId MemoryRows::insertTask(proto::Task task) {
  const std::lock_guard lock(mutex_);
  if (task.id.value() == 0) task.id = proto::TaskId(next_task_id_);
  next_task_id_ = std::max(next_task_id_, task.id.value()) + 1;
  if (task.create_time == 0) task.create_time = storeMillis() / 1000;
  const auto id = task.id;
  data_.tasks[id] = std::move(task);
  changed_.notify_all();
  return id;
}

proto::SubtaskId MemoryRows::insertSubtask(proto::Subtask subtask) {
  const std::lock_guard lock(mutex_);
  if (subtask.id.value() == 0) subtask.id = proto::SubtaskId(next_subtask_id_);
  next_subtask_id_ = std::max(next_subtask_id_, subtask.id.value()) + 1;
  if (subtask.ordinal == 0) {
    std::int32_t last = 0;
    for (const auto& [id, row] : data_.subtasks) {
      if (row.task_id == subtask.task_id && row.step == subtask.step) last = std::max(last, row.ordinal);
    }
    subtask.ordinal = last + 1;
  }
  if (subtask.create_time == 0) subtask.create_time = storeMillis() / 1000;
  const auto id = subtask.id;
  data_.subtasks[id] = std::move(subtask);
  changed_.notify_all();
  return id;
}

std::optional<proto::Task> MemoryRows::task(proto::TaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = data_.tasks.find(id);
  return at == data_.tasks.end() ? std::nullopt : std::optional(at->second);
}

std::optional<proto::Subtask> MemoryRows::subtask(proto::SubtaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = data_.subtasks.find(id);
  return at == data_.subtasks.end() ? std::nullopt : std::optional(at->second);
}

std::vector<proto::Subtask> MemoryRows::subtasks(proto::TaskId id) const {
  std::vector<proto::Subtask> found;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, row] : data_.subtasks) {
      if (row.task_id == id) found.push_back(row);
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.step, a.ordinal) < std::pair(b.step, b.ordinal);
  });
  return found;
}

MemoryAttempt MemoryRows::attempt(proto::SubtaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = data_.attempts.find(id);
  return at == data_.attempts.end() ? MemoryAttempt{} : at->second;
}

std::string MemoryRows::checkpoint(proto::SubtaskId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = data_.checkpoints.find(id);
  return at == data_.checkpoints.end() ? std::string() : at->second;
}

std::optional<MemoryMeta> MemoryRows::meta(const proto::ExecId& host) const {
  const std::lock_guard lock(mutex_);
  const auto at = data_.metas.find(host);
  return at == data_.metas.end() ? std::nullopt : std::optional(at->second);
}

void MemoryRows::change(const std::function<void(Data&)>& change) {
  const std::lock_guard lock(mutex_);
  data_.now_ms = storeMillis();
  change(data_);
  changed_.notify_all();
}

bool MemoryRows::waitUntil(const std::function<bool(const Data&)>& ready, std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [&] { return ready(data_); });
}

void MemoryRows::inject(MemoryFault fault) {
  const std::lock_guard lock(mutex_);
  faults_.push_back(std::move(fault));
}

void MemoryRows::clearFaults() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
  fail_one_in_ = 0;
}

void MemoryRows::injectByChance(std::uint32_t one_in) {
  const std::lock_guard lock(mutex_);
  fail_one_in_ = one_in;
}

void MemoryRows::afterCall(const std::string& method, std::function<void()> hook) {
  const std::lock_guard lock(mutex_);
  hooks_[method] = std::move(hook);
}

void MemoryRows::leave(std::string_view method, const std::optional<MemoryFault>& fault) const {
  std::function<void()> hook;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = hooks_.find(method); at != hooks_.end()) hook = at->second;
  }
  if (hook) hook();
  if (fault) throw Exception(fault->error);
}

int MemoryRows::numCalls(std::string_view method) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(std::count(calls_.begin(), calls_.end(), method));
}

std::vector<std::string> MemoryRows::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::optional<MemoryFault> MemoryRows::enter(std::string_view method) {
  const std::lock_guard lock(mutex_);
  calls_.emplace_back(method);
  for (auto at = faults_.begin(); at != faults_.end(); ++at) {
    if (!at->method.empty() && at->method != method) continue;
    if (--at->nth > 0) continue;
    const auto fault = *at;
    if (--at->times <= 0) {
      faults_.erase(at);
    } else {
      at->nth = 1;
    }
    return fault;
  }
  if (fail_one_in_ > 0 && randomBelow(fail_one_in_) == 0) {
    MemoryFault fault;
    fault.after = randomBelow(2) == 0;
    return fault;
  }
  return std::nullopt;
}

}  // namespace disttask::storage
