#pragma once
#include "common.hpp"

namespace disttask::ctl {

struct Top {
  std::optional<std::chrono::milliseconds> interval;  ///< between two looks
  std::int32_t limit = 50;                            ///< tasks that are looked at
};

int execute(Context& context, const Top& options);

}  // namespace disttask::ctl
