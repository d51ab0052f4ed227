#include "disttask/sqlclient/call_watch.hpp"

#include "socket_wait.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <utility>

namespace disttask::sqlclient {

namespace {
constexpr std::chrono::milliseconds kLookEvery{20};
}  // namespace

CallWatch::CallWatch(std::string name) : name_(std::move(name)) {}

CallWatch::~CallWatch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

CallWatch::Section CallWatch::open(std::function<bool()> unwanted, runtime::Duration grace) {
  const std::lock_guard lock(mutex_);
  if (!running_) {
    thread_.spawn(name_, [this] { run(); });
    running_ = true;
  }
  sections_.push_back({static_cast<int>(::syscall(SYS_gettid)), std::move(unwanted), grace, {}});
  if (sections_.size() == 1) changed_.notify_all();
  return {*this, std::prev(sections_.end())};
}

CallWatch::Section::Section(Section&& other) noexcept : watch_(std::exchange(other.watch_, nullptr)), at_(other.at_) {}

CallWatch::Section::~Section() {
  if (watch_ == nullptr) return;
  const std::lock_guard lock(watch_->mutex_);
  watch_->sections_.erase(at_);
}

void CallWatch::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !sections_.empty(); });
    if (stopping_) return;
    // A section cannot end while it is looked at: its thread waits for the lock, and then on no socket.
    for (auto& section : sections_) {
      const auto now = runtime::BootClock::now();
      if (section.unwanted_since == runtime::TimePoint{}) {
        if (!section.unwanted()) continue;
        section.unwanted_since = now;
      }
      if (now - section.unwanted_since >= section.grace) cutSocketWait(section.thread_id);
    }
    changed_.wait_for(lock, kLookEvery, [this] { return stopping_; });
  }
}

}  // namespace disttask::sqlclient
