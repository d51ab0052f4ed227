#pragma once
#include "common.hpp"

namespace disttask::ctl {

struct NodeLs {};
struct NodeCordon {
  std::string node;
  std::string message;
};
struct NodeUncordon {
  std::string node;
};
struct NodeDrain {
  std::string node;
  std::string message;
  std::optional<std::chrono::milliseconds> deadline;  ///< from now on: then runs are given back
  WaitOptions wait;
};
struct NodeForget {
  std::string node;
  bool reassign = false;                             ///< end its life and wait until its subtasks are with others
  std::optional<std::chrono::milliseconds> timeout;  ///< of that wait
};
struct NodeEvents {
  std::string node;
  std::int32_t limit = 100;
};

int execute(Context& context, const NodeLs& options);
int execute(Context& context, const NodeCordon& options);
int execute(Context& context, const NodeUncordon& options);
int execute(Context& context, const NodeDrain& options);
int execute(Context& context, const NodeForget& options);
int execute(Context& context, const NodeEvents& options);

}  // namespace disttask::ctl
