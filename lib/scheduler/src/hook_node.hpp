#pragma once
#include "round.hpp"

#include <optional>

namespace disttask::scheduler {

/// Returns which node runs a hook of the task: one that fits it, else any live one that offers its type, which is said
/// in the log, since what the hook cleans up may be out of its reach. Nothing: there is none.
[[nodiscard]] std::optional<proto::ExecId> chooseHookNode(
    const Round& round, const proto::TaskBase& task, storage::PlanKind kind
);

}  // namespace disttask::scheduler
