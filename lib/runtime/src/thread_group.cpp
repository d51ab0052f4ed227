#include "disttask/runtime/thread_group.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <thread>

namespace disttask::runtime {

namespace {

std::atomic<std::size_t> num_running{0};

using FailureHandler = std::function<void(const std::string&, const Error&)>;

FailureHandler& failureHandler() {
  static FailureHandler handler = [](const std::string& name, const Error& error) {
    std::fprintf(stderr, "thread %s ended by an exception: %s\n", name.c_str(), error.message().c_str());
    std::abort();
  };
  return handler;
}

}  // namespace

struct ThreadGroup::Entry {
  std::atomic<bool> ended{false};
  std::thread thread;
};

ThreadGroup::ThreadGroup() = default;
ThreadGroup::~ThreadGroup() {
  join();
}

void ThreadGroup::spawn(const std::string& name, UniqueFunction<void()> body) {
  auto entry = std::make_unique<Entry>();
  auto* self = entry.get();
  const std::lock_guard lock(mutex_);
  auto& place = entries_.emplace_back(std::move(entry));
  ++num_running;
  try {
    place->thread = std::thread([self, name, body = std::move(body)]() mutable {
      ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
      try {
        body();
      } catch (...) {  // a thread's entry is the last place that can say what went wrong
        failureHandler()(name, currentError());
      }
      body = {};  // what it captured goes while the thread still counts
      --num_running;
      self->ended = true;
    });
  } catch (const std::system_error& e) {
    --num_running;
    entries_.pop_back();
    throw Exception(ErrorCode::kInternal, "the system gave no thread for " + name + ": " + e.what());
  }
}

void ThreadGroup::join() {
  const std::lock_guard joining(join_mutex_);
  for (;;) {
    std::list<std::unique_ptr<Entry>> batch;
    {
      const std::lock_guard lock(mutex_);
      batch.swap(entries_);
    }
    if (batch.empty()) return;
    for (auto& entry : batch) entry->thread.join();
  }
}

std::size_t ThreadGroup::reap() {
  const std::lock_guard joining(join_mutex_);
  const std::lock_guard lock(mutex_);
  entries_.remove_if([](const std::unique_ptr<Entry>& entry) {
    if (!entry->ended) return false;
    entry->thread.join();
    return true;
  });
  return entries_.size();
}

std::size_t ThreadGroup::numRunning() noexcept {
  return num_running;
}

void ThreadGroup::setFailureHandler(FailureHandler handler) {
  failureHandler() = std::move(handler);
}

}  // namespace disttask::runtime
