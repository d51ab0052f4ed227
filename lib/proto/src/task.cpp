#include "disttask/proto/task.hpp"

#include <tuple>

namespace disttask::proto {

bool outranks(const TaskBase& a, const TaskBase& b) noexcept {
  return std::tie(a.priority, a.create_time, a.id) < std::tie(b.priority, b.create_time, b.id);
}

}  // namespace disttask::proto
