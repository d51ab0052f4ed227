#pragma once
#include "disttask/reasons/reasons.hpp"

#include <optional>
#include <string>

namespace disttask::reasons {

/// Returns why nobody leads any task now; nothing when somebody does.
[[nodiscard]] std::optional<Reason> whyNobodyLeads(const Facts& facts);
/// True if the node holds the scheduler role and its lease has ended: it is not alive, whatever its row says.
[[nodiscard]] bool isSilentOwner(const Facts& facts, const proto::ExecId& exec_id) noexcept;
/// Returns what the state of an unfinished task keeps from going on; nothing in a state in which it works.
[[nodiscard]] std::optional<Reason> whyStateHolds(const proto::Task& task);
/// Returns how a task ended: its state, and its error if it has one.
[[nodiscard]] std::string endText(const proto::Task& task);
/// True if the holder of the scheduler role brings a task out of this state; false: somebody has to ask for it.
[[nodiscard]] bool isLed(proto::TaskState state) noexcept;

}  // namespace disttask::reasons
