#pragma once
#include "disttask/proto/task.hpp"

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace disttask::executor {

/// Who holds the slots of this node (contract 4.3). Any thread; owned by NodeServices.
class SlotManager {
 public:
  explicit SlotManager(std::int32_t capacity) : capacity_(capacity), available_(capacity) {}

  /// Can the task have its slots? {true, {}}: now. {true, tasks}: when these, all of lower rank, have given theirs up.
  /// {false, {}}: no.
  [[nodiscard]] std::pair<bool, std::vector<proto::TaskBase>> canAlloc(const proto::TaskBase& task) const;
  /// Takes the task's slots; false when they are not free, or still lent.
  [[nodiscard]] bool alloc(const proto::TaskBase& task);
  /// Gives back what the task holds now; an unknown id is a no-op.
  void free(proto::TaskId id);
  /// Changes what a task holds to `task.slots`, and its rank to that of `task`; false, and nothing changed, when it is
  /// unknown or the slots are not free.
  [[nodiscard]] bool exchange(const proto::TaskBase& task);

  /// Borrows free slots for one more parallel subtask (design rule 18): refused while fewer are free, or while an
  /// admitted task waits.
  [[nodiscard]] bool tryBorrow(std::int32_t slots);
  void returnBorrowed(std::int32_t slots);
  /// Returns how many borrowed slots have to come back before a task can have `slots` that no task holds.
  [[nodiscard]] std::int32_t lentInTheWay(std::int32_t slots) const;
  /// True while borrowed slots must not be used for another subtask: a task waits for them, or has taken them.
  [[nodiscard]] bool mustReturnBorrowed() const;
  /// Says whether an admitted task waits for slots.
  void setWaiting(bool waiting);
  [[nodiscard]] bool isWaiting() const;

  /// Changes how many slots there are. Who holds some keeps them: with fewer slots than are held, `available` is below
  /// zero, and nobody gets any until enough have come back.
  void resize(std::int32_t capacity);
  [[nodiscard]] std::int32_t capacity() const;
  /// Returns the slots that no task holds; borrowed ones count as free.
  [[nodiscard]] std::int32_t available() const;
  /// Returns who holds slots, lowest rank first.
  [[nodiscard]] std::vector<proto::TaskBase> holders() const;

 private:
  void insertLocked(const proto::TaskBase& task);

  mutable std::mutex mutex_;
  std::int32_t capacity_;                 // guarded by mutex_
  std::int32_t available_;                // guarded by mutex_
  std::int32_t borrowed_ = 0;             // guarded by mutex_
  bool waiting_ = false;                  // guarded by mutex_
  std::vector<proto::TaskBase> holders_;  // guarded by mutex_; lowest rank first
};

}  // namespace disttask::executor
