#include "chunk_pace.hpp"

#include <algorithm>

namespace disttask::csv_import {
namespace {

constexpr int kMaxLimit = 64;
constexpr int kMinWindow = 4;  // turns; fewer say nothing
constexpr double kGain = 1.05;
constexpr auto kCheckEvery = std::chrono::milliseconds(20);

}  // namespace

void ChunkPace::enter(const std::function<void()>& check) {
  std::unique_lock lock(mutex_);
  while (active_ >= limit_) {
    changed_.wait_for(lock, kCheckEvery);
    lock.unlock();
    check();
    lock.lock();
  }
  ++active_;
}

void ChunkPace::leave(std::uint64_t bytes, Time now) noexcept {
  const std::lock_guard lock(mutex_);
  --active_;
  bytes_ += bytes;
  if (since_ == Time{}) {
    since_ = now;  // the first turn only tells when work began
    bytes_ = 0;
  } else if (++finished_ >= std::max(kMinWindow, 2 * limit_) && now > since_) {
    adjust(static_cast<double>(bytes_) / std::chrono::duration<double>(now - since_).count());
    finished_ = 0;
    bytes_ = 0;
    since_ = now;
  }
  changed_.notify_all();
}

void ChunkPace::adjust(double rate) noexcept {
  if (last_rate_ > 0) {
    if (direction_ > 0 && rate < last_rate_ * kGain)
      direction_ = -1;
    else if (direction_ < 0 && rate * kGain < last_rate_)
      direction_ = 1;
  }
  last_rate_ = rate;
  const int next = std::clamp(limit_ + direction_, 1, kMaxLimit);
  if (next == limit_) direction_ = -direction_;
  limit_ = next;
}

int ChunkPace::limit() const {
  const std::lock_guard lock(mutex_);
  return limit_;
}

}  // namespace disttask::csv_import
