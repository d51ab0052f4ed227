#pragma once
#include "disttask/settings/settings.hpp"

#include <cstdint>
#include <string>

namespace disttask::app {

/// From now on SIGHUP and SIGUSR1 do nothing until somebody handles them, and a write to a peer that has gone is an
/// error of that call. The first thing that main does: by default all three end the process.
void surviveSignals() noexcept;
/// From now on SIGTERM and SIGINT end the process at once with kExitClean, until somebody handles them: nothing has
/// begun yet that would have to be undone.
void stopAtOnceOnSignals() noexcept;
/// From now on no signal that asks for something is taken: the process has done all and is about to end.
void takeNoMoreSignals() noexcept;

/// Few malloc arenas and early give-back: a node that waits for work should be small. Before any thread.
void keepMemorySmall() noexcept;

/// Sets how log lines are written; finds out whether stderr is the journal, which gets priorities, unless the format is
/// text.
void configureLog(const settings::LogSettings& settings);

/// From now on each line names this node, and with `epoch` the life of it that the process is (0: none yet).
void nameNodeInLog(const std::string& node, std::int64_t epoch);

}  // namespace disttask::app
