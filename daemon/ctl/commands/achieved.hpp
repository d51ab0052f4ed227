#pragma once
#include "disttask/proto/task.hpp"
#include "disttask/storage/client_table.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace disttask::ctl {

/// A step as `task show` sees it.
struct StepView {
  storage::StepProgress progress;
  std::map<std::string, std::int64_t> nodes;  ///< exec id → ended or running subtasks
  std::int64_t rows_succeeded = 0;            ///< rows that its succeeded subtasks report
};

/// Says what a task that did not succeed has left done, a line for each step, such as "12 of 40 chunks of step 1,
/// 120,000 rows"; empty for one that goes on or succeeded, or of which nothing was planned. Pure.
[[nodiscard]] std::string achievedText(const proto::Task& task, const std::vector<StepView>& steps);

}  // namespace disttask::ctl
