#pragma once
#include "disttask/runtime/thread_group.hpp"
#include "disttask/runtime/timers.hpp"
#include "simulated_node.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace disttask::bench {

/// Many nodes that are rows and timers of this process; some threads do what is due, and nudges arrive as they do at a
/// daemon. A node whose turn fails is counted and has another one soon. Any thread.
class SimulatedCluster {
 public:
  /// Registers `count` nodes `sim-0000`…, which begin at once.
  SimulatedCluster(const Places& places, BenchStore& store, std::size_t count, std::int32_t slots);
  SimulatedCluster(const SimulatedCluster&) = delete;
  SimulatedCluster& operator=(const SimulatedCluster&) = delete;
  /// Joins the threads; the nodes' rows stay.
  ~SimulatedCluster();

  /// How subtasks run from now on; no node has a turn while it changes.
  void setWork(std::int32_t at_once, runtime::Duration length);
  /// Adds one more node; returns when it is registered, on monotonicNs.
  std::int64_t join();
  /// The node that joined last leaves.
  void leaveLast();
  /// All nodes forget their runs.
  void forgetRuns();

  /// Returns when a task's step first had a running subtask since the last reset, confirmed; 0 = not yet.
  [[nodiscard]] std::int64_t firstStart(std::int64_t task, std::int32_t step) const;
  /// Returns when the last subtask of it ended; 0 = none yet.
  [[nodiscard]] std::int64_t lastEnd(std::int64_t task, std::int32_t step) const;
  /// Returns when the node that joined last first started something; 0 = not yet.
  [[nodiscard]] std::int64_t firstStartOfLast() const noexcept { return first_of_last_.load(); }
  [[nodiscard]] std::uint64_t numStarted() const noexcept { return num_started_.load(); }
  [[nodiscard]] std::uint64_t numFinished() const noexcept { return num_finished_.load(); }
  [[nodiscard]] std::uint64_t numErrors() const noexcept { return num_errors_.load(); }
  /// Tells the owner that there is news, as a submitter does.
  void nudgeOwner();

 private:
  struct Entry {
    std::unique_ptr<SimulatedNode> node;
    std::int64_t due_ns = 0;
    bool is_active = false;  ///< a thread is in its turn
    bool is_nudged = false;
    bool has_left = false;
  };
  struct Step {
    std::int64_t first_start_ns = 0;
    std::int64_t last_end_ns = 0;
  };
  void work();
  void add();
  void nudged(std::string_view text);
  void nudgeAll();
  /// Waits until no turn is going on, with mutex_ held, and keeps new ones from beginning until it is released.
  void awaitRest(std::unique_lock<std::mutex>& lock);

  const Places places_;
  BenchStore& store_;
  const std::int32_t slots_;
  std::string address_;
  std::string owner_address_;       // guarded by owner_mutex_
  std::int64_t owner_token_ = 0;    // guarded by owner_mutex_
  std::int64_t owner_read_ns_ = 0;  // guarded by owner_mutex_
  std::mutex owner_mutex_;
  std::unique_ptr<storage::mysql::Store> owner_reader_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::vector<std::unique_ptr<Entry>> entries_;
  std::set<std::pair<std::int64_t, std::size_t>> queue_;
  std::size_t num_active_ = 0;
  std::size_t num_waiting_for_rest_ = 0;
  bool is_over_ = false;
  SimulatedWork work_;

  mutable std::mutex steps_mutex_;
  std::map<std::pair<std::int64_t, std::int32_t>, Step> steps_;  // guarded by steps_mutex_
  std::atomic<std::uint64_t> num_started_{0};
  std::atomic<std::uint64_t> num_finished_{0};
  std::atomic<std::uint64_t> num_errors_{0};
  std::atomic<std::int64_t> first_of_last_{0};

  runtime::Reactor reactor_;
  runtime::ThreadGroup threads_;  // last: they use the members above
};

}  // namespace disttask::bench
