#pragma once
#include "common.hpp"
#include "disttask/proto/task_state.hpp"

#include <vector>

namespace disttask::ctl {

struct HistoryLs {
  std::vector<proto::TaskState> states;
  std::string type;
  std::int32_t limit = 100;
};
struct HistoryGc {
  std::optional<std::chrono::milliseconds> older_than;
};

int execute(Context& context, const HistoryLs& options);
int execute(Context& context, const HistoryGc& options);

}  // namespace disttask::ctl
