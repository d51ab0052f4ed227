#pragma once
#include "disttask/base/json.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace disttask::csv_import {

/// Throws kInvalidArgument with this sentence.
[[noreturn]] void fail(const std::string& sentence);

/// Parses a text that must be one JSON object; `what` names it in the error.
[[nodiscard]] Json parseObject(std::string_view text, const std::string& what);

// Each takes a value apart; `where` names the key in the error.
[[nodiscard]] std::string textAt(const Json& value, const std::string& where);
[[nodiscard]] std::string nonEmptyTextAt(const Json& value, const std::string& where);
[[nodiscard]] std::int64_t intAt(const Json& value, const std::string& where, std::int64_t least, std::int64_t most);

/// Returns a member that must be there.
[[nodiscard]] const Json& memberAt(const Json& object, std::string_view key, const std::string& what);

}  // namespace disttask::csv_import
