#pragma once
#include "disttask/base/error.hpp"
#include "disttask/base/unique_function.hpp"

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>

namespace disttask::runtime {

/// Creates, names, counts and joins threads: the only place that does. An exception that leaves a thread's function
/// goes to the failure handler of the process (default: text on stderr, then abort), never silently away. Members of
/// the owner that threads use must be declared before the group, so that the group is destroyed first. Any thread may
/// spawn.
class ThreadGroup {
 public:
  ThreadGroup();
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;
  ~ThreadGroup();

  /// Starts a thread; `name` is cut to 15 bytes for the kernel. Throws kInternal when the system refuses one.
  void spawn(const std::string& name, UniqueFunction<void()> body);
  /// Waits for all threads of the group, those spawned meanwhile too. Must not be called from one of them.
  void join();
  /// Joins threads that have ended; returns how many still run.
  std::size_t reap();

  /// Returns how many threads all groups of this process run now.
  [[nodiscard]] static std::size_t numRunning() noexcept;
  /// Replaces the failure handler of the process; it gets the thread's name and runs on that thread. Before threads are
  /// started.
  static void setFailureHandler(std::function<void(const std::string& name, const Error& error)> handler);

 private:
  struct Entry;
  std::mutex join_mutex_;  // held while joining, taken before mutex_
  std::mutex mutex_;
  std::list<std::unique_ptr<Entry>> entries_;
};

}  // namespace disttask::runtime
