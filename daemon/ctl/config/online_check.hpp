#pragma once
#include "disttask/settings/settings.hpp"
#include "online_lines.hpp"

#include "../context.hpp"

#include <vector>

namespace disttask::ctl {

/// Looks at all that a daemon with these settings needs: plugins (each in a process of its own), servers, TLS, schema,
/// rights, clock, connections. Changes nothing. Forks: only from a process with one thread.
[[nodiscard]] std::vector<CheckLine> checkOnline(Context& context, const settings::Settings& settings);

}  // namespace disttask::ctl
