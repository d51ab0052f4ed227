#pragma once
#include "disttask/storage/plan_table.hpp"
#include "store_context.hpp"

#include <cstddef>

namespace disttask::storage::mysql {

/// Checks what the store takes before anything is written, and returns how many bytes of metas one statement may have.
/// Throws kStoreContent for a meta that is too large.
std::size_t statementBytes(Connection& connection, const Plan& plan, const PlanBatch& batch);
/// Inserts the rows of a batch, with the ordinals from plan.next_ordinal on, in statements of at most `max_bytes` of
/// metas, or one row.
void insertSubtasks(
    Connection& connection, const proto::Task& task, const Plan& plan, const PlanBatch& batch, std::size_t max_bytes
);

}  // namespace disttask::storage::mysql
