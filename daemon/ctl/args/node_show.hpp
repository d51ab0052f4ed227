#pragma once
#include "common.hpp"

namespace disttask::ctl {

struct NodeShow {
  std::string node;
};

int execute(Context& context, const NodeShow& options);

}  // namespace disttask::ctl
