#include "chunk_pace.hpp"

#include <algorithm>

namespace disttask::csv_import {
namespace {

constexpr int kMaxLimit = 64;
constexpr int kMinWindow = 8;  // turns; of fewer, one slow one decides
constexpr int kRounds = 3;     // turns of each place in a window
constexpr int kMaxHold = 64;   // windows
constexpr double kGain = 1.10;
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
  } else if (++finished_ >= std::max(kMinWindow, kRounds * limit_) && now > since_) {
    adjust(static_cast<double>(bytes_) / std::chrono::duration<double>(now - since_).count());
    finished_ = 0;
    bytes_ = 0;
    since_ = now;
  }
  changed_.notify_all();
}

void ChunkPace::adjust(double rate) noexcept {
  if (trying_) {
    trying_ = false;
    if (rate >= good_rate_ * kGain) {
      next_hold_ = 2;
    } else {
      --limit_;
      hold_ = next_hold_;
      next_hold_ = std::min(2 * next_hold_, kMaxHold);
      return;
    }
  }
  good_rate_ = rate;
  if (hold_ > 0) {
    --hold_;
  } else if (limit_ < kMaxLimit) {
    ++limit_;
    trying_ = true;
  }
}

int ChunkPace::limit() const {
  const std::lock_guard lock(mutex_);
  return limit_;
}

}  // namespace disttask::csv_import
