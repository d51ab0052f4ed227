#pragma once
#include "disttask/reasons/reasons.hpp"

#include <string>
#include <vector>

namespace disttask::reasons {

/// Returns why no node may get subtasks of the task; nothing when one may.
[[nodiscard]] std::optional<Reason> whyNoNodeFits(const Facts& facts);
/// Adds why the pending subtasks on each node wait there.
void addPendingReasons(const Facts& facts, std::vector<Reason>& reasons);
/// Adds why subtasks that were tried before wait.
void addTriedReasons(const Facts& facts, std::vector<Reason>& reasons);
/// Returns "1 subtask" or "5 subtasks".
[[nodiscard]] std::string countText(std::int64_t count);

}  // namespace disttask::reasons
