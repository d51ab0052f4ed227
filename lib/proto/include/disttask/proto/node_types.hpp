#pragma once
#include <map>
#include <string>
#include <string_view>

namespace disttask::proto {

/// Returns what the column `types` of a node's row offers. A text of another shape, which somebody else must have
/// written, offers nothing; `reasons` (proto::Node::reasons) then says so.
[[nodiscard]] std::map<std::string, std::string> parseNodeTypes(std::string_view text, std::string& reasons);
/// True if parseNodeTypes wrote these reasons.
[[nodiscard]] bool isUnreadableRow(std::string_view reasons);

}  // namespace disttask::proto
