#pragma once
#include "disttask/executor/node_services.hpp"

namespace disttask::executor {

/// Counts (in `applied`) and logs what came of the end of a run.
void noteEndOutcome(
    NodeServices& node,
    proto::SubtaskId id,
    EndWrite write,
    proto::TransitionOutcome outcome,
    std::atomic<std::int64_t>& applied
);

/// Turns a finish whose result the store refuses, today and always, into a failure: else the row would stay running for
/// ever.
void refuseResult(RunEnd& end, const Error& refusal);

/// Writes the end of a run: once, and counts and logs what came of it. Throws store errors; kCancelled when the node
/// vanished.
void writeEndOnce(NodeServices& node, storage::TaskTable& table, const storage::Call& call, RunEnd& end);

/// Writes the end of a run after it has returned; tries again while the store fails, up to the retry window. What could
/// not be written then, or while the node is in a hurry, is kept for the Manager, and a line says so. Does not throw.
/// Runner threads.
void writeEnd(NodeServices& node, storage::TaskTable& table, RunEnd end);

/// Writes what was kept, oldest first, until one fails; returns how many remain. The Manager's poll.
std::size_t flushUnwrittenEnds(NodeServices& node, storage::TaskTable& table);

}  // namespace disttask::executor
