#pragma once
#include "common.hpp"

namespace disttask::ctl {

struct SubtaskShow {
  std::string name;
};
struct SubtaskCancel {
  std::string name;
};

int execute(Context& context, const SubtaskShow& options);
int execute(Context& context, const SubtaskCancel& options);

}  // namespace disttask::ctl
