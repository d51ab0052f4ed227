#pragma once
#include "args.hpp"

#include <iosfwd>

namespace disttask::ctl {

/// Runs one command; returns the exit code. Failures are one line on `err`. One thread.
[[nodiscard]] int run(const Arguments& arguments, std::ostream& out, std::ostream& err);

}  // namespace disttask::ctl
