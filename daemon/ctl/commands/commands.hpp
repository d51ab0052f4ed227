#pragma once
#include "../args.hpp"
#include "../context.hpp"

namespace disttask::ctl {

// One function per command, found by its options. Each returns the exit code; exceptions become one line on stderr.
int execute(Context& context, const SchemaInstall& options);
int execute(Context& context, const SchemaStatus& options);
int execute(Context& context, const SchemaDump& options);
int execute(Context& context, const TaskSubmit& options);
int execute(Context& context, const TaskLs& options);
int execute(Context& context, const TaskShow& options);
int execute(Context& context, const TaskWhy& options);
int execute(Context& context, const TaskWait& options);
int execute(Context& context, const TaskCancel& options);
int execute(Context& context, const TaskPause& options);
int execute(Context& context, const TaskResume& options);
int execute(Context& context, const TaskModify& options);
int execute(Context& context, const TaskResolve& options);
int execute(Context& context, const TaskEvents& options);
int execute(Context& context, const TaskSubtasks& options);
int execute(Context& context, const NodeLs& options);
int execute(Context& context, const NodeCordon& options);
int execute(Context& context, const NodeUncordon& options);
int execute(Context& context, const NodeDrain& options);
int execute(Context& context, const NodeForget& options);
int execute(Context& context, const NodeEvents& options);
int execute(Context& context, const PluginLs& options);
int execute(Context& context, const PluginCheck& options);

/// Waits until the task has ended or the time limit passed, showing progress on stderr; returns the exit code (0, 1, 4
/// or 6).
int waitForTask(Context& context, proto::TaskId id, const WaitOptions& options);
/// True for failures that pass by themselves: a wait goes on, and so does what it waits for.
[[nodiscard]] bool isPassing(const Error& error);
/// Shows one task, as `task show` does.
void showTask(Context& context, const proto::Task& task);
/// Returns what `task show -o json` gives.
[[nodiscard]] Json describeTask(Context& context, const proto::Task& task);
/// True when a reverted task was cancelled by somebody, not undone after a failure.
[[nodiscard]] bool wasCancelled(const proto::Task& task);

}  // namespace disttask::ctl
