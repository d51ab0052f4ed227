#include "planned_rows.hpp"

#include "task_rows.hpp"

#include "statements/plan.hpp"

#include <algorithm>

namespace disttask::storage::mysql {

namespace {

constexpr std::size_t kMaxStatementBytes = std::size_t{1} << 20;
/// What is below fits everywhere; above it the store is asked what it takes.
constexpr std::size_t kUnaskedBytes = std::size_t{128} << 10;
/// Columns beside the meta, and what the protocol and the statement's text add, of a row.
constexpr std::int64_t kRowOverhead = 2048;
constexpr std::int64_t kTidbEntryBytes = 6 << 20;

/// Returns how many of the rows from `begin` on go in one statement: one of kInsertSizes, at most `max_bytes` of rows.
std::size_t chunkSize(const std::vector<PlanBatch::Row>& rows, std::size_t begin, std::size_t max_bytes) {
  std::size_t fit = 0;
  for (std::size_t bytes = 0; begin + fit < rows.size() && fit < sql::kInsertSizes[0]; ++fit) {
    bytes += rows[begin + fit].meta.size();
    if (bytes > max_bytes && fit > 0) break;
  }
  for (const auto size : sql::kInsertSizes) {
    if (size <= fit) return size;
  }
  return 1;
}

}  // namespace

std::size_t statementBytes(Connection& connection, const Plan& plan, const PlanBatch& batch) {
  std::size_t total = 0;
  for (const auto& row : batch.rows) total += row.meta.size();
  if (total <= kUnaskedBytes) return kMaxStatementBytes;
  const bool is_tidb = connection.flavour() == sqlclient::Flavour::kTiDb;
  auto limits = connection.query(is_tidb ? sql::kEntryLimit : sql::kPacketLimit, {});
  if (!limits.next()) throw Exception(ErrorCode::kInternal, "a query without a table gave no row");
  const auto packet = limits.getInt(1);
  auto most = packet;
  std::string name = "max_allowed_packet";
  if (is_tidb) {
    const auto entry = limits.getInt(2) > 0 ? limits.getInt(2) : kTidbEntryBytes;
    if (entry < most) name = "the limit of one entry, txn-entry-size-limit";
    most = std::min(most, entry);
  }
  for (std::size_t i = 0; i < batch.rows.size(); ++i) {
    const auto bytes = static_cast<std::int64_t>(batch.rows[i].meta.size());
    if (bytes + kRowOverhead <= most) continue;
    throw Exception(
        ErrorCode::kStoreContent,
        "the meta of subtask " + std::to_string(plan.next_ordinal + static_cast<std::int64_t>(i)) + " has " +
            std::to_string(bytes) + " bytes; the store takes at most " + std::to_string(most - kRowOverhead) + " (" +
            name + ")"
    );
  }
  return std::min(kMaxStatementBytes, static_cast<std::size_t>(packet) / 2);
}

void insertSubtasks(
    Connection& connection, const proto::Task& task, const Plan& plan, const PlanBatch& batch, std::size_t max_bytes
) {
  const auto key = proto::taskKeyOf(task.id);
  const auto type = typeCodeOf(task.type);
  for (std::size_t begin = 0; begin < batch.rows.size();) {
    const auto size = chunkSize(batch.rows, begin, max_bytes);
    sqlclient::Values values;
    values.reserve(7 * size);
    for (auto i = begin; i < begin + size; ++i) {
      values.emplace_back(std::int64_t{plan.step->value()});
      values.emplace_back(key);
      values.emplace_back(batch.rows[i].exec_id);
      values.emplace_back(batch.rows[i].meta);
      values.emplace_back(type);
      values.emplace_back(std::int64_t{task.slots});
      values.emplace_back(plan.next_ordinal + static_cast<std::int64_t>(i));
    }
    connection.updateDynamic("plan.insert_subtasks", sql::insertSubtasksText(size), values);
    begin += size;
  }
}

}  // namespace disttask::storage::mysql
