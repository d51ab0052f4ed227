#pragma once
#include "disttask/plugin/task_type.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace disttask::plugin {

/// The task types that this process offers, by name. Owned by the composition root. Any thread.
class TaskTypes {
 public:
  /// Adds a type; throws kAlreadyExists that names both origins.
  void add(std::shared_ptr<TaskType> type);
  /// Adds all of them or none; throws like add.
  void addAll(const std::vector<std::shared_ptr<TaskType>>& types);
  /// Returns the type, or nothing.
  [[nodiscard]] std::shared_ptr<TaskType> find(const std::string& name) const;
  /// Returns all, by name.
  [[nodiscard]] std::vector<std::shared_ptr<TaskType>> all() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<TaskType>> types_;
};

}  // namespace disttask::plugin
