#pragma once
#include "disttask/proto/node.hpp"
#include "findings.hpp"

#include <chrono>
#include <optional>
#include <vector>

namespace disttask::ctl {

/// Returns how long a node must be watched until it has renewed its lease: it does so at each quarter.
[[nodiscard]] std::chrono::milliseconds timeToRenew(const proto::Node& node);

/// Says how long doctor watches by itself beside a live TiDB, where nobody else notices a node that is gone: until each
/// live one must have renewed, and not for ever. Nothing: there is no live one.
[[nodiscard]] std::optional<std::chrono::milliseconds> watchBesideTiDb(const std::vector<proto::Node>& nodes);

/// Puts into `facts.silent` and `facts.unwatched` the live nodes that did not renew between two looks that were so far
/// apart. Pure.
void noteSilence(
    const std::vector<proto::Node>& before,
    const std::vector<proto::Node>& now,
    std::chrono::milliseconds watched,
    DoctorFacts& facts
);

}  // namespace disttask::ctl
