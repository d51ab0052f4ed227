#pragma once
#include "disttask/proto/node.hpp"

#include <string_view>
#include <vector>

namespace disttask::ctl {

class Context;

/// Returns all nodes; beside a live TiDB also hosts that only TiDB knows. Throws as reads of the store do.
[[nodiscard]] std::vector<proto::Node> listNodes(Context& context);
/// True for a host of a live TiDB that is no node of ours: registered, and nobody says whether it lives.
[[nodiscard]] bool isTidbHost(const proto::Node& node) noexcept;
/// Returns "live", "gone" (stopped or evicted: rows do not tell which), or "registered" for a host of TiDB's.
[[nodiscard]] std::string_view stateOf(const proto::Node& node) noexcept;

}  // namespace disttask::ctl
