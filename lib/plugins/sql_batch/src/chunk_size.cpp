#include "chunk_size.hpp"

#include <algorithm>

namespace disttask::sql_batch {
namespace {

constexpr int kHold = 10;  // chunks after a conflict

}  // namespace

std::int64_t ChunkSize::rows() const {
  const std::lock_guard lock(mutex_);
  return rows_;
}

void ChunkSize::took(std::int64_t rows, double ms, std::int64_t wanted_ms) {
  const std::lock_guard lock(mutex_);
  // A chunk at the end of a subtask is smaller, and tells less.
  if (wanted_ms == 0 || rows < rows_ / 2 || rows == 0) return;
  const double fits = static_cast<double>(rows) * static_cast<double>(wanted_ms) / std::max(ms, 0.1);
  auto next = static_cast<std::int64_t>(std::min(fits, 1e12));
  next = std::clamp(next, std::max<std::int64_t>(rows_ / 4, 1), rows_ * 2);
  if (hold_ > 0) {
    --hold_;
    next = std::min(next, rows_);
  }
  rows_ = std::clamp<std::int64_t>(next, 1, most_);
}

void ChunkSize::halve() {
  const std::lock_guard lock(mutex_);
  rows_ = std::max<std::int64_t>(rows_ / 2, 1);
  hold_ = kHold;
}

void ChunkSize::limit(std::int64_t most) {
  const std::lock_guard lock(mutex_);
  most_ = most;
  rows_ = std::min(rows_, most_);
}

void ChunkSize::set(std::int64_t rows) {
  const std::lock_guard lock(mutex_);
  rows_ = std::clamp<std::int64_t>(rows, 1, most_);
  hold_ = 0;
}

}  // namespace disttask::sql_batch
