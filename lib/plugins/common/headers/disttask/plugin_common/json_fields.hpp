#pragma once
#include "disttask/base/error.hpp"
#include "disttask/base/json.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::plugin_common {

/// Throws kInvalidArgument with this sentence.
[[noreturn]] void fail(const std::string& sentence);

/// Parses a text that must be one JSON object; `what` names it in the error.
[[nodiscard]] Json parseObject(std::string_view text, const std::string& what);

// Each takes a value apart; `where` names the key in the error.
[[nodiscard]] std::string textAt(const Json& value, const std::string& where);
[[nodiscard]] std::string nonEmptyTextAt(const Json& value, const std::string& where);
[[nodiscard]] std::int64_t intAt(const Json& value, const std::string& where, std::int64_t least, std::int64_t most);
/// A directory: an absolute path.
[[nodiscard]] std::string directoryAt(const Json& value, const std::string& where);
/// A list of directories.
[[nodiscard]] std::vector<std::string> directoriesAt(const Json& value, const std::string& where);

/// Returns a member that must be there.
[[nodiscard]] const Json& memberAt(const Json& object, std::string_view key, const std::string& what);

}  // namespace disttask::plugin_common
