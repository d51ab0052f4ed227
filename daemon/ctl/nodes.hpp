#pragma once
#include "disttask/proto/node.hpp"

#include <string>
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
/// Returns what is wanted of a node; "drained" of one that should drain and where nothing waits, runs or is planned.
[[nodiscard]] std::string_view wantedOf(const proto::Node& node, bool is_empty) noexcept;
/// The same; looks into the store where it is needed for that. Empty for a host of TiDB's.
[[nodiscard]] std::string findWanted(Context& context, const proto::Node& node);

}  // namespace disttask::ctl
