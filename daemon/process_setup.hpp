#pragma once
#include "disttask/settings/settings.hpp"

namespace disttask::app {

/// Few malloc arenas and early give-back: a node that waits for work should be small. Before any thread.
void keepMemorySmall() noexcept;

/// Sets how log lines are written; `auto` finds out whether stderr is the journal.
void configureLog(const settings::LogSettings& settings);

}  // namespace disttask::app
