#include "disttask/plugin/task_types.hpp"

namespace disttask::plugin {

void TaskTypes::add(std::shared_ptr<TaskType> type) {
  addAll({std::move(type)});
}

void TaskTypes::addAll(const std::vector<std::shared_ptr<TaskType>>& types) {
  const std::lock_guard lock(mutex_);
  auto merged = types_;
  for (const auto& type : types) {
    const auto [at, added] = merged.try_emplace(type->name(), type);
    if (added) continue;
    throw Exception(
        ErrorCode::kAlreadyExists,
        "task type '" + type->name() + "' of " + type->origin() + " is already offered by " + at->second->origin()
    );
  }
  types_ = std::move(merged);
}

std::shared_ptr<TaskType> TaskTypes::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto at = types_.find(name);
  return at == types_.end() ? nullptr : at->second;
}

std::vector<std::shared_ptr<TaskType>> TaskTypes::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<TaskType>> all;
  for (const auto& [name, type] : types_) all.push_back(type);
  return all;
}

}  // namespace disttask::plugin
