#pragma once
#include "disttask/storage/client_table.hpp"

#include "../args/task.hpp"
#include "../context.hpp"

namespace disttask::ctl {

/// Lets the plugin that offers the type validate the meta of the request, as --validate says. Throws kInvalidArgument
/// with what the plugin says against it, and kPrecondition when it is required and no plugin is at hand; says on stderr
/// when it was not done. Forks: before any thread is started.
void validateMeta(Context& context, const MetaCheck& check, const storage::TaskRequest& request);
/// Says in the words of `task why` what keeps each node from running the task now; empty: nothing does, or the store
/// did not say.
[[nodiscard]] std::string whyNobodyRuns(Context& context, const storage::TaskRequest& request) noexcept;
/// Does what --dry-run says; returns the exit code.
int tryWithoutWriting(Context& context, const TaskSubmit& options, const storage::TaskRequest& request);

}  // namespace disttask::ctl
