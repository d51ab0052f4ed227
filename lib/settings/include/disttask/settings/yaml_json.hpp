#pragma once
#include "disttask/base/expected.hpp"
#include "disttask/base/json.hpp"

#include <string_view>

namespace disttask::settings {

/// Turns one YAML document into JSON: plain scalars by YAML's core schema (null, true, 12, 0x1f, 1.5), quoted ones are
/// strings. The error (kInvalidArgument) names each line that is wrong. Bounds: 1 MiB, 32 levels, 20,000 values once
/// aliases are written out. Any thread.
[[nodiscard]] Expected<Json> yamlToJson(std::string_view text);

}  // namespace disttask::settings
