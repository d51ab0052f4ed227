#pragma once
#include "disttask/runtime/clock.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace disttask::executor {

/// Lets runs of subtasks share the node, or one of them have it alone: a subtask that ended its node twice runs alone,
/// so that a third end says which one it was (design rule 9). Who wants to be alone waits for the others and keeps new
/// ones out meanwhile. Any thread.
class NodeExclusive {
 public:
  explicit NodeExclusive(runtime::Clock& clock) : clock_(clock) {}
  /// Waits for a place; false when `token` was cancelled first.
  [[nodiscard]] bool enter(const runtime::CancelToken& token, bool alone);
  /// As enter for a shared place, without waiting: false when somebody is alone, or waits to be.
  [[nodiscard]] bool tryShare();
  void leave(bool alone);

 private:
  runtime::Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::int32_t num_shared_ = 0;         // guarded by mutex_
  std::int32_t num_waiting_alone_ = 0;  // guarded by mutex_
  bool taken_alone_ = false;            // guarded by mutex_
};

}  // namespace disttask::executor
