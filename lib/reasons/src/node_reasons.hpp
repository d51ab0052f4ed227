#pragma once
#include "disttask/reasons/reasons.hpp"

#include <string>
#include <vector>

namespace disttask::reasons {

/// Returns why no node may get subtasks of the task; nothing when one may.
[[nodiscard]] std::optional<Reason> whyNoNodeFits(const Facts& facts);
/// True if some node may get subtasks of this task.
[[nodiscard]] bool canRunSomewhere(const Facts& facts, const proto::TaskBase& task);
/// Returns who has the slots for which the owner lets the task wait, as far as the rows tell; nothing: it would not
/// wait for slots.
[[nodiscard]] std::optional<Reason> whySlotsShort(const Facts& facts);
[[nodiscard]] bool isAlive(const Facts& facts, const proto::ExecId& exec_id);
/// Returns why pending subtasks do not run on their node; `what` says which wait: "it waits on ".
[[nodiscard]] Reason whyPendingOn(
    const Facts& facts, const proto::ExecId& exec_id, const std::string& what, std::int64_t subtasks
);
/// Returns what a pending subtask waits for after what came of its tries; nothing: it may start. `name` is who waits.
[[nodiscard]] std::optional<Reason> whyTriedWaits(const storage::TriedSubtask& subtask, const std::string& name);
/// Adds why the pending subtasks on each node wait there.
void addPendingReasons(const Facts& facts, std::vector<Reason>& reasons);
/// Adds why subtasks that were tried before wait.
void addTriedReasons(const Facts& facts, std::vector<Reason>& reasons);
/// Returns "1 subtask" or "5 subtasks".
[[nodiscard]] std::string countText(std::int64_t count);

}  // namespace disttask::reasons
