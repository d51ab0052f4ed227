#pragma once
#include "disttask/proto/ids.hpp"
#include "disttask/proto/task_state.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::proto {

/// A subtask row without its meta and error. Times are seconds since the epoch by the store, 0 = NULL.
struct SubtaskBase {
  SubtaskId id;
  TaskId task_id;
  Step step;
  std::int32_t ordinal = 0;  ///< starts at 1 per (task, step)
  std::string
      type;  ///< task type; the row's integer code knows only DXF's own types, so it is set by whoever knows the task
  ExecId exec_id;
  SubtaskState state = SubtaskState::kPending;
  std::int32_t slots = 1;  ///< `concurrency` column
  RunToken token;          ///< token of the run that the row shows; 0 = none
  std::int64_t create_time = 0;
  std::int64_t start_time = 0;
  std::int64_t state_update_time = 0;
  std::int64_t end_time = 0;
};

/// A whole subtask row.
struct Subtask : SubtaskBase {
  std::string meta;
  std::string error;                ///< message text; empty = none
  std::string summary;              ///< JSON
  std::int64_t left_out_bytes = 0;  ///< above 0: the meta is this large and was left out by whoever read the row
};

/// What a run reports about itself (contract 3.9, column `summary`). Counters only grow during a run.
struct SubtaskSummary {
  std::int64_t row_count = 0;
  std::int64_t bytes = 0;
  std::int64_t read_bytes = 0;
  friend bool operator==(const SubtaskSummary&, const SubtaskSummary&) = default;
};
/// Writes the JSON of the contract: row_count, bytes, read_bytes, get_request_count, put_request_count.
[[nodiscard]] std::string toJson(const SubtaskSummary& summary);
/// Reads it; missing or malformed parts give zeros.
[[nodiscard]] SubtaskSummary parseSummary(std::string_view json) noexcept;

}  // namespace disttask::proto
