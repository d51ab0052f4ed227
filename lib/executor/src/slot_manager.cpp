#include "disttask/executor/slot_manager.hpp"

#include <algorithm>

namespace disttask::executor {

std::pair<bool, std::vector<proto::TaskBase>> SlotManager::canAlloc(const proto::TaskBase& task) const {
  const std::lock_guard lock(mutex_);
  if (available_ >= task.slots) return {true, {}};
  std::vector<proto::TaskBase> victims;
  auto reachable = available_;
  for (const auto& holder : holders_) {
    if (!proto::outranks(task, holder)) break;
    victims.push_back(holder);
    reachable += holder.slots;
    if (reachable >= task.slots) return {true, victims};
  }
  return {false, {}};
}

bool SlotManager::alloc(const proto::TaskBase& task) {
  const std::lock_guard lock(mutex_);
  if (available_ - borrowed_ < task.slots) return false;
  insertLocked(task);
  available_ -= task.slots;
  return true;
}

/// Lowest rank first.
void SlotManager::insertLocked(const proto::TaskBase& task) {
  const auto at =
      std::find_if(holders_.begin(), holders_.end(), [&](const auto& holder) { return proto::outranks(holder, task); });
  holders_.insert(at, task);
}

void SlotManager::free(proto::TaskId id) {
  const std::lock_guard lock(mutex_);
  const auto at = std::find_if(holders_.begin(), holders_.end(), [&](const auto& holder) { return holder.id == id; });
  if (at == holders_.end()) return;
  available_ += at->slots;
  holders_.erase(at);
}

bool SlotManager::exchange(const proto::TaskBase& task) {
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(holders_.begin(), holders_.end(), [&](const auto& holder) { return holder.id == task.id; });
  if (at == holders_.end()) return false;
  const auto more = task.slots - at->slots;
  if (more > 0 && available_ < more) return false;
  available_ -= more;
  // Its rank may be another now, too.
  holders_.erase(at);
  insertLocked(task);
  return true;
}

bool SlotManager::tryBorrow(std::int32_t slots) {
  const std::lock_guard lock(mutex_);
  if (waiting_ || available_ - borrowed_ < slots) return false;
  borrowed_ += slots;
  return true;
}

void SlotManager::returnBorrowed(std::int32_t slots) {
  const std::lock_guard lock(mutex_);
  borrowed_ -= slots;
}

std::int32_t SlotManager::lentInTheWay(std::int32_t slots) const {
  const std::lock_guard lock(mutex_);
  if (available_ < slots) return 0;
  return std::max(0, slots - (available_ - borrowed_));
}

bool SlotManager::mustReturnBorrowed() const {
  const std::lock_guard lock(mutex_);
  return waiting_ || borrowed_ > available_;
}

void SlotManager::setWaiting(bool waiting) {
  const std::lock_guard lock(mutex_);
  waiting_ = waiting;
}

bool SlotManager::isWaiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

void SlotManager::resize(std::int32_t capacity) {
  const std::lock_guard lock(mutex_);
  available_ += capacity - capacity_;
  capacity_ = capacity;
}

std::int32_t SlotManager::capacity() const {
  const std::lock_guard lock(mutex_);
  return capacity_;
}

std::int32_t SlotManager::available() const {
  const std::lock_guard lock(mutex_);
  return available_;
}

std::vector<proto::TaskBase> SlotManager::holders() const {
  const std::lock_guard lock(mutex_);
  return holders_;
}

}  // namespace disttask::executor
