#include "disttask/runtime/pool.hpp"

namespace disttask::runtime {

bool JobChannel::send(Job job) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || jobs_.size() < capacity_; });
  if (closed_) return false;
  jobs_.push_back(std::move(job));
  changed_.notify_all();  // under the lock, here and below: whoever it wakes may destroy the channel
  return true;
}

Job JobChannel::receive() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
  if (jobs_.empty()) return {};
  auto job = std::move(jobs_.front());
  jobs_.pop_front();
  changed_.notify_all();
  return job;
}

void JobChannel::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

ThreadPool::ThreadPool(
    std::string name, std::size_t max_threads, std::size_t max_queue, std::function<void(const Error&)> on_exception
)
    : name_(std::move(name)),
      max_queue_(max_queue),
      on_exception_(std::move(on_exception)),
      max_threads_(max_threads) {}

ThreadPool::~ThreadPool() {
  releaseAndWait();
}

Expected<std::monostate> ThreadPool::run(Job job) {
  const std::lock_guard lock(mutex_);
  if (closed_) return Error(ErrorCode::kPrecondition, "pool closed: " + name_);
  if (queue_.size() >= num_idle_ && num_threads_ < max_threads_) {
    try {
      threads_.spawn(name_ + "-" + std::to_string(num_threads_ + 1), [this] { work(); });
    } catch (const Exception& e) {
      return e.error();
    }
    ++num_threads_;
    ++num_idle_;
  }
  if (queue_.size() >= num_idle_ + max_queue_) return Error(ErrorCode::kPrecondition, "pool full: " + name_);
  queue_.push_back(std::move(job));
  changed_.notify_one();
  return std::monostate();
}

Expected<std::monostate> ThreadPool::runWithConcurrency(JobChannel& channel, std::uint32_t concurrency) {
  const auto drain = [this, &channel] {
    while (auto job = channel.receive()) runGuarded(job);
  };
  // One thread is enough to drain the channel: that fewer than asked for are free is no failure.
  for (std::uint32_t i = 0; i < concurrency; ++i) {
    if (auto taken = run(drain); !taken && i == 0) return taken;
  }
  return std::monostate();
}

void ThreadPool::releaseAndWait() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  threads_.join();
}

void ThreadPool::setMaxThreads(std::size_t max_threads) {
  const std::lock_guard lock(mutex_);
  max_threads_ = max_threads;
}

std::size_t ThreadPool::numBusy() const {
  const std::lock_guard lock(mutex_);
  return num_threads_ - num_idle_;
}

void ThreadPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    --num_idle_;
    lock.unlock();
    runGuarded(job);
    job = {};  // what it captured goes outside the lock
    lock.lock();
    ++num_idle_;
  }
}

void ThreadPool::runGuarded(Job& job) const noexcept {
  try {
    job();
  } catch (...) {  // whatever a job throws ends that job only
    if (on_exception_) on_exception_(currentError());
  }
}

}  // namespace disttask::runtime
