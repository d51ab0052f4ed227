#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/runtime/clock.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <cstdint>
#include <optional>

namespace disttask::storage {

/// What one poll shows a node of itself (design rule 17). A value.
struct NodePoll {
  std::optional<proto::Life> life;  ///< of this node's row; nothing: there is no row
  proto::WantedState wanted = proto::WantedState::kNormal;
  bool is_wish_due = false;                ///< its time limit has passed, by the clock of the store
  std::int64_t modifications = 0;          ///< modifications of tasks so far, in the whole store (design rule 25)
  std::optional<std::int32_t> meta_slots;  ///< cpu_count of its row in dist_framework_meta; nothing: there is no row
  Owner owner;                             ///< who holds the scheduler role; without address and nudge token
  bool has_subtasks = false;               ///< a subtask of this node is pending or running, in whatever task
  bool has_plan = false;                   ///< a plan that is neither complete nor failed names this node
  runtime::TimePoint began;                ///< by the clock of the process: before the statement was sent
  runtime::TimePoint ended;                ///< and after its answer
};

/// The one statement of a poll. Same threading and failure contract as TaskTable.
class PollTable {
 public:
  virtual ~PollTable() = default;
  /// Returns what a node needs to know to see whether there is anything to do: one round trip, a few index entries, no
  /// lock. `began` and `ended` are left to the caller.
  virtual NodePoll poll(const Call& call, const ExecId& exec_id) = 0;
};

}  // namespace disttask::storage
