#pragma once
#include "common.hpp"

#include <string>

namespace disttask::ctl {

struct ConfigCheck {
  std::string file;  ///< empty: that of --config, else where a daemon looks
  bool online = false;
};
struct ConfigShow {
  std::string file;
  bool defaults = false;
};
struct ConfigSchema {};

int execute(Context& context, const ConfigCheck& options);
int execute(Context& context, const ConfigShow& options);
int execute(Context& context, const ConfigSchema& options);

}  // namespace disttask::ctl
