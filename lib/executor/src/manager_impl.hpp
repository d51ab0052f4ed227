#pragma once
#include "disttask/executor/manager.hpp"
#include "disttask/executor/run_log_writer.hpp"
#include "disttask/runtime/periodic.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

namespace disttask::executor {

/// The Manager's parts: the poll (one at a time, on the ctl pool), and the table of task executors (any thread).
struct Manager::Impl {
  Impl(const ExecutorSettings& settings, const ManagerParts& parts_in);

  // --- the poll; on the ctl pool ---
  Duration pollByItself();
  /// Returns whether there is work here. Without a poll's answer it asks for everything.
  bool poll(const storage::NodePoll* seen);
  bool look(const storage::NodePoll* seen);
  /// A store call of the poll.
  [[nodiscard]] storage::Call call();
  void handleTask(const proto::TaskExecInfo& info, std::vector<proto::TaskBase>& candidates);
  [[nodiscard]] bool isForeign(const proto::TaskBase& task);
  void handlePausing(const proto::TaskBase& task);
  void handleReverting(const proto::TaskBase& task);
  void takeOrphans(const proto::TaskBase& task);
  void handleCandidates(const std::vector<proto::TaskBase>& candidates);
  /// Notes how many modifications there are, and says up to which all tasks here run with what was asked.
  void followModifications(std::int64_t number);
  /// Ends the task executors of a node that is to be empty (design rule 24). `due`: runs have had their time, those
  /// that may run again give their rows back.
  void drainExecutors(bool due);
  void recallBorrowed(const proto::TaskBase& candidate, std::int32_t slots);
  enum class Start : std::uint8_t { kStarted, kSkipped, kFailed };
  Start startTask(const proto::TaskBase& candidate);
  std::unique_ptr<TaskExecutor> makeExecutor(const proto::Task& task);
  void failTask(const proto::Task& task, const Error& error);
  void runTask(std::shared_ptr<TaskExecutor> executor, const proto::TaskBase& task);
  void endTask(proto::TaskId id);
  /// `task`: the one that it concerns, if it is one.
  void noteStoreError(std::string_view what, const Error& error, const proto::TaskBase* task);

  [[nodiscard]] bool isStopping() const;
  /// With `stopping` set: waits for the poll that runs; none begins after it.
  void endPolls();
  [[nodiscard]] bool isFed() const noexcept { return static_cast<bool>(parts.ask_for_poll); }
  void askForPoll();

  // --- the task executors ---
  [[nodiscard]] std::vector<std::shared_ptr<TaskExecutor>> all() const;
  [[nodiscard]] std::shared_ptr<TaskExecutor> find(proto::TaskId id) const;
  void interruptAll(runtime::CancelCause cause);
  /// Waits until all task executors have ended and are destroyed, at most `patience`; returns how many are not.
  std::size_t waitForAll(Duration patience);

  ManagerParts parts;
  NodeServices node;
  std::unique_ptr<RunLogWriter> run_logs;  // after `node`, which points to it
  runtime::CancelSource
      source;  // the Manager's context: given to task executors; cancelled only when the node vanishes

  mutable std::mutex mutex;
  std::condition_variable_any changed;
  // guarded by mutex
  std::map<proto::TaskId, std::shared_ptr<TaskExecutor>> executors;
  std::size_t num_jobs = 0;  // task executors that are not destroyed yet
  bool has_started = false;
  bool stopping = false;
  bool stopped = false;

  std::atomic<bool> draining{false};           // by this process itself
  std::mutex poll_mutex;                       // held by a poll; taken before `mutex`
  std::set<proto::TaskId> troubled;            // that the last poll could not handle; guarded by poll_mutex
  std::atomic<std::int64_t> modifications{0};  // that are applied here
  std::atomic<std::uint64_t> num_polls{0};
  std::atomic<std::uint64_t> progress{0};
  Duration interval;  // touched only by a Manager that polls by itself
  runtime::Periodic periodic;
};

}  // namespace disttask::executor
