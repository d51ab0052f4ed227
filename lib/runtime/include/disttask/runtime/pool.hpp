#pragma once
#include "disttask/base/error.hpp"
#include "disttask/base/expected.hpp"
#include "disttask/base/unique_function.hpp"
#include "disttask/runtime/thread_group.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <variant>

namespace disttask::runtime {

using Job = UniqueFunction<void()>;

/// A bounded queue between threads. After close() nothing more goes in; what is in still comes out.
class JobChannel {
 public:
  explicit JobChannel(std::size_t capacity) : capacity_(capacity) {}
  /// Waits for room; false when closed.
  bool send(Job job);
  /// Waits for a job; empty when closed and drained.
  [[nodiscard]] Job receive();
  void close();

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool closed_ = false;
};

/// Runs jobs on threads (the `Pool` of DXF's task executor package). An exception in a job is caught and given to the
/// handler.
class Pool {
 public:
  virtual ~Pool() = default;
  /// Starts the job now, on a thread of its own of the pool. Fails (kPrecondition) when all threads are busy and the
  /// queue is full, or after releaseAndWait: it never queues without bound. Any thread.
  virtual Expected<std::monostate> run(Job job) = 0;
  /// Lets up to `concurrency` threads drain `channel` until it is closed; returns at once. Fails like run. The channel
  /// must live until releaseAndWait returned or it is drained.
  virtual Expected<std::monostate> runWithConcurrency(JobChannel& channel, std::uint32_t concurrency) = 0;
  /// Takes no more jobs and waits for those that were taken. Idempotent; not from a job.
  virtual void releaseAndWait() = 0;
};

/// Pool on threads that are made on demand and kept.
class ThreadPool final : public Pool {
 public:
  /// `max_queue` jobs may wait for a thread; 0 = a job is taken only when a thread is free.
  ThreadPool(
      std::string name, std::size_t max_threads, std::size_t max_queue, std::function<void(const Error&)> on_exception
  );
  ~ThreadPool() override;
  Expected<std::monostate> run(Job job) override;
  Expected<std::monostate> runWithConcurrency(JobChannel& channel, std::uint32_t concurrency) override;
  void releaseAndWait() override;
  /// Changes how many threads there may be; those that are there stay. Any thread.
  void setMaxThreads(std::size_t max_threads);
  /// Returns how many jobs run now.
  [[nodiscard]] std::size_t numBusy() const;

 private:
  void work();
  void runGuarded(Job& job) const noexcept;
  const std::string name_;
  const std::size_t max_queue_;
  const std::function<void(const Error&)> on_exception_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t max_threads_;  // guarded by mutex_, and so are those below
  std::deque<Job> queue_;
  std::size_t num_threads_ = 0;
  std::size_t num_idle_ = 0;  // threads without a job, those that are starting included
  bool closed_ = false;
  ThreadGroup threads_;  // last: its threads use the members above
};

}  // namespace disttask::runtime
