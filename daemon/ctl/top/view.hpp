#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/proto/task.hpp"
#include "disttask/storage/scheduler_table.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace disttask::ctl {

struct TopNode {
  proto::Node node;
  std::int64_t tasks = 0;       ///< of which subtasks run there
  std::int64_t used_slots = 0;  ///< that they take
  std::string wanted;           ///< of it, as node ls says it
};

struct TopTask {
  proto::TaskBase task;
  storage::SubtaskCounts counts;     ///< of its step
  std::optional<double> per_second;  ///< subtasks that ended, since the look before; nothing: not known
};

/// What a look at a cluster shows.
struct TopSnapshot {
  std::string clock;            ///< when, for people
  std::string owner;            ///< empty = nobody
  bool is_beside_tidb = false;  ///< a live TiDB schedules, some nodes are its own
  std::vector<TopNode> nodes;
  std::vector<TopTask> tasks;  ///< in rank order
  bool more_tasks = false;     ///< there are more than were looked at
  std::string trouble;         ///< why this is an old picture; empty = it is not
};

enum class TopSort : std::uint8_t { kRank, kRate, kKey };
/// "rank", "rate" or "key".
[[nodiscard]] std::string_view toString(TopSort sort) noexcept;
[[nodiscard]] TopSort nextOf(TopSort sort) noexcept;

struct TopSize {
  std::size_t columns = 80;
  std::size_t rows = 24;  ///< 0 = as many as it takes
};

/// Subtasks of the step that ended by a run: canceled ones are no part of what is done.
[[nodiscard]] std::int64_t numDone(const storage::SubtaskCounts& counts) noexcept;
[[nodiscard]] std::int64_t numAll(const storage::SubtaskCounts& counts) noexcept;

/// Fills in the rates from the look before, `seconds` ago: of tasks that are in the same step.
void setRates(TopSnapshot& now, const TopSnapshot& before, double seconds);

/// Returns the lines of a screen, each at most `columns` wide, at most `rows` of them: nodes get a third of the room
/// when tasks need the rest. Pure.
[[nodiscard]] std::vector<std::string> renderTop(
    const TopSnapshot& snapshot, const TopSize& size, TopSort sort, const std::string& footer
);

}  // namespace disttask::ctl
