#pragma once
#include "disttask/observability/log.hpp"

#include <span>
#include <vector>

namespace disttask::observability {

/// Returns all fields of a line: its own, those of its thread's context, those of the process.
[[nodiscard]] std::vector<Field> lineFields(std::span<const Field> line, std::span<const Field> process);

}  // namespace disttask::observability
