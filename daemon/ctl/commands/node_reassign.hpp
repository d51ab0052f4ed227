#pragma once
#include "disttask/proto/node.hpp"
#include "disttask/storage/mysql/health.hpp"

#include <string>
#include <vector>

namespace disttask::ctl {

class Context;
struct NodeForget;

/// What is known when subtasks of a node that is gone do not move.
struct RemainingFacts {
  proto::ExecId node;  ///< the one that is gone
  bool beside_tidb = false;
  std::vector<proto::Node> nodes;                          ///< of ours
  std::vector<storage::mysql::RegisteredHost> registered;  ///< all of the register, TiDB's own among them
};
/// Says what a person can do about them. Pure.
[[nodiscard]] std::string adviceFor(const storage::mysql::TaskOnNode& task, const RemainingFacts& facts);

/// Says which tasks' subtasks keep a node from being forgotten, a task a line, and what can be done. Pure.
[[nodiscard]] std::string describeKept(
    const std::vector<storage::mysql::RowsNamingNode>& rows, const RemainingFacts& facts
);
/// Throws what describeKept() says of the node, kPrecondition; returns when no row names it.
void refuseWhatIsKept(Context& context, const proto::ExecId& node);

/// Ends the life of a node that is gone, waits until its subtasks are with others and forgets it; returns the exit code
/// of the command, and says what remains when the time limit passes. Throws kPrecondition when the node lives.
int reassignNode(Context& context, const NodeForget& options, const proto::Node& node);

}  // namespace disttask::ctl
