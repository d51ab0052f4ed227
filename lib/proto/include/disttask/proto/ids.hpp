#pragma once
#include "disttask/base/strong_id.hpp"

#include <cstdint>
#include <string>

namespace disttask::proto {

using TaskId = StrongId<struct TaskIdTag, std::int64_t>;
using SubtaskId = StrongId<struct SubtaskIdTag, std::int64_t>;
/// A step number of a task type; see step.hpp for the two that all types share.
using Step = StrongId<struct StepTag, std::int32_t>;
/// The identity of a node in `exec_id` and `host` columns, at most 261 bytes, compared as plain bytes.
using ExecId = std::string;
/// Marks one start of a subtask and no other, random bits of 63; bit 0 says that the subtask is idempotent; 0 = none
/// (design rule 7).
using RunToken = StrongId<struct RunTokenTag, std::int64_t>;
/// Marks one life of a node or of an owner, random 63 bits; 0 = evicted or stopped (design rule 1).
using Life = StrongId<struct LifeTag, std::int64_t>;

/// Returns the decimal text under which subtask rows carry their task's id (`task_key` column).
[[nodiscard]] inline std::string taskKeyOf(TaskId id) {
  return std::to_string(id.value());
}
/// Makes a run token from random bits so that bit 0 says whether the subtask may run again; never 0.
[[nodiscard]] constexpr RunToken makeRunToken(std::int64_t random, bool idempotent) noexcept {
  const auto base = (random | 2) & ~std::int64_t{1};
  return RunToken(idempotent ? (base | 1) : base);
}
/// Makes the run token of one of several starts that share their random bits, `shared` (≥ 0): different ids have
/// different tokens, and token - 2 × id is the same for all of equal idempotence. `shared` and 2 × id add up to less
/// than 2⁶³.
[[nodiscard]] constexpr RunToken makeRunToken(std::int64_t shared, SubtaskId id, bool idempotent) noexcept {
  return RunToken(makeRunToken(shared, idempotent).value() + 2 * id.value());
}
[[nodiscard]] constexpr bool isIdempotent(RunToken token) noexcept {
  return (token.value() & 1) != 0;
}

}  // namespace disttask::proto
