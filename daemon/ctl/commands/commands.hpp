#pragma once
#include "../args/common.hpp"
#include "../context.hpp"
#include "../output/progress.hpp"

#include <initializer_list>

namespace disttask::ctl {

/// Says, for a wait that is left, that the task goes on and how it is cancelled. `name` is what people call it by.
[[nodiscard]] std::string taskGoesOn(const std::string& name);
/// Waits until the task has ended or the time limit passed, showing progress on stderr; returns the exit code (0, 1, 4
/// or 6, or that of an interrupt). `what_stays` is told when the wait is left before: what goes on without it, and the
/// way back.
int waitForTask(Context& context, proto::TaskId id, const WaitOptions& options, const std::string& what_stays);
/// Waits in the same way until nobody is about to change the task's state any more: after a pause until it is paused or
/// has ended. 0 in one of the wanted states, else the code of its end, or 5 when somebody else led it elsewhere.
int waitUntilSettled(
    Context& context,
    proto::TaskId id,
    const WaitOptions& options,
    const std::string& what_stays,
    std::initializer_list<proto::TaskState> wanted
);
/// Returns the exit code that says how a task ended: 0, 1 or 6.
[[nodiscard]] int exitCodeOfEnd(const proto::Task& task);
/// Says that a wait was interrupted, and what goes on without it.
void sayInterrupted(Context& context, const std::string& what_stays);
/// True for failures that pass by themselves: a wait goes on, and so does what it waits for.
[[nodiscard]] bool isPassing(const Error& error);
/// Shows one task in the form asked for, as `task show` does.
void printTask(Context& context, const proto::Task& task);
/// Writes what `task show` shows to people.
void showTask(Context& context, const proto::Task& task, std::ostream& out);
/// Returns "succeeded", "failed" or "cancelled"; empty while the task has not ended.
[[nodiscard]] std::string_view outcomeOf(const proto::Task& task);
/// Returns the task's state as people read it: of a reverted one also what it came from, `reverted (cancelled)`.
[[nodiscard]] std::string stateText(const proto::Task& task);
/// Returns the JSON of the text, or the text itself where it is none.
[[nodiscard]] Json parsedOrText(const std::string& text);
/// Returns the snapshot that progress is shown from.
[[nodiscard]] Snapshot takeSnapshot(Context& context, const proto::Task& task);
/// True when a reverted task was cancelled by somebody, not undone after a failure.
[[nodiscard]] bool wasCancelled(const proto::Task& task);

}  // namespace disttask::ctl
