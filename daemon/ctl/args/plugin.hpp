#pragma once
#include "common.hpp"

namespace disttask::ctl {

struct PluginLs {};
struct PluginCheck {
  std::string file;
};

int execute(Context& context, const PluginLs& options);
int execute(Context& context, const PluginCheck& options);

}  // namespace disttask::ctl
