#pragma once
#include "../args/common.hpp"
#include "../context.hpp"

namespace disttask::ctl {

/// Waits until the task has ended or the time limit passed, showing progress on stderr; returns the exit code (0, 1, 4
/// or 6).
int waitForTask(Context& context, proto::TaskId id, const WaitOptions& options);
/// True for failures that pass by themselves: a wait goes on, and so does what it waits for.
[[nodiscard]] bool isPassing(const Error& error);
/// Shows one task in the form asked for, as `task show` does.
void printTask(Context& context, const proto::Task& task);
/// True when a reverted task was cancelled by somebody, not undone after a failure.
[[nodiscard]] bool wasCancelled(const proto::Task& task);

}  // namespace disttask::ctl
