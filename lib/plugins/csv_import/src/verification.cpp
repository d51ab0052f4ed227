#include "verification.hpp"

#include "disttask/base/json.hpp"
#include "range_hash.hpp"
#include "statements.hpp"

#include <algorithm>
#include <charconv>

namespace disttask::csv_import {
namespace {

__extension__ using Wide = __int128;

// Two that read the whole table, and hash half of it each, are quicker than one as long as the table is in memory.
constexpr std::uint64_t kMaxHalvedBytes = std::uint64_t{1} << 30;

Wide parseWide(const std::string& text) {
  const bool negative = !text.empty() && text[0] == '-';
  std::uint64_t magnitude = 0;
  std::from_chars(text.data() + (negative ? 1 : 0), text.data() + text.size(), magnitude);
  return negative ? -static_cast<Wide>(magnitude) : static_cast<Wide>(magnitude);
}

std::string toText(Wide value) {
  std::string text = value < 0 ? "-" : "";
  return text.append(std::to_string(static_cast<std::uint64_t>(value < 0 ? -value : value)));
}

[[noreturn]] void mismatch(const std::string& what) {
  throw Exception(ErrorCode::kPrecondition, "verification failed: " + what);
}

void expectSame(const std::string& what, std::uint64_t found, std::uint64_t expected, const std::string& of) {
  if (found != expected)
    mismatch(what + ": " + std::to_string(found) + " in the ledger, " + std::to_string(expected) + " " + of);
}

// The chunks' rows against what the planner counted in the file.
void compareWithPlan(const LedgerSums& sums, const ImportTotals& plan, std::int64_t max_bad_records) {
  expectSame("chunks", sums.count, plan.chunks, "planned");
  expectSame("records", sums.total.records, plan.records, "planned");
  expectSame("bytes", sums.total.bytes, plan.bytes, "planned");
  if (sums.total.hash != plan.hash_sum) {
    mismatch(
        "sum of the range hashes: " + toHex(sums.total.hash) + " in the ledger, " + toHex(plan.hash_sum) + " planned"
    );
  }
  if (sums.total.bad > static_cast<std::uint64_t>(max_bad_records)) {
    throw Exception(
        ErrorCode::kPrecondition,
        std::to_string(sums.total.bad) + " bad records in all chunks, max_bad_records is " +
            std::to_string(max_bad_records)
    );
  }
}

void compareWithTable(const LedgerSums& table, const LedgerSums& chunks) {
  if (table.total.rows == chunks.total.rows && table.total.row_sum == chunks.total.row_sum) return;
  mismatch(
      "the table has " + std::to_string(table.total.rows) + " rows with checksum " + table.total.row_sum.toString() +
      ", imported were " + std::to_string(chunks.total.rows) + " with checksum " + chunks.total.row_sum.toString()
  );
}

// The count and the sum of one range, as the server has them.
LedgerRow readRange(sqlclient::Connection& connection, const TargetTable& target, const VerifyMeta& meta) {
  auto rows = connection.queryDynamic("csv_import.checksum", statements::checksum(target, meta), {});
  if (!rows.next()) throw Exception(ErrorCode::kInternal, "the checksum query came back empty");
  LedgerRow found;
  found.rows = static_cast<std::uint64_t>(rows.getInt(1));
  found.row_sum = RowSum::parse(rows.getString(2));
  return found;
}

}  // namespace

std::string VerifyResult::dump() const {
  Json json;
  json["part"] = std::int64_t{part};
  json["parts"] = std::int64_t{parts};
  json["verified_by"] = by_table ? "table" : "ledger";
  if (by_table) {
    json["rows"] = rows;
    json["checksum"] = checksum;
  }
  if (whole) {
    json["verified_rows"] = verified_rows;
    json["bad_records"] = bad_records;
    if (by_table) {
      json["checksum"] = total_checksum;
      json["columns_left_out"] = Json(Json::Array(columns_left_out.begin(), columns_left_out.end()));
    }
  }
  return json.dump();
}

std::vector<std::string> splitRange(const std::string& least, const std::string& most, std::int32_t parts) {
  const Wide low = parseWide(least);
  const Wide width = parseWide(most) - low + 1;
  std::vector<std::string> bounds;
  Wide last = low;
  for (std::int32_t i = 1; i < parts; ++i) {
    const Wide bound = low + width * i / parts;
    if (bound > last) bounds.push_back(toText(bound));
    last = std::max(last, bound);
  }
  return bounds;
}

std::vector<VerifyMeta> planVerification(
    sqlclient::Connection& connection,
    const ImportOptions& options,
    const TargetTable& target,
    const ImportTotals& totals,
    std::int32_t max_parts
) {
  std::vector<std::string> bounds;
  const std::uint64_t wanted = (totals.records + kRowsPerPart - 1) / kRowsPerPart;
  const auto parts = static_cast<std::int32_t>(std::min<std::uint64_t>(wanted, static_cast<std::uint64_t>(max_parts)));
  if (options.into == Into::kEmpty && !target.range_key.empty() && parts > 1) {
    auto rows = connection.queryDynamic("csv_import.key_bounds", statements::keyBounds(target), {});
    if (rows.next() && !rows.isNull(1)) bounds = splitRange(rows.getString(1), rows.getString(2), parts);
  }
  const bool halves = options.into == Into::kEmpty && target.range_key.empty() && parts > 1 &&
                      totals.bytes <= kMaxHalvedBytes && target.columnsLeftOut().size() < target.columns.size();
  std::vector<VerifyMeta> metas(halves ? 2 : bounds.size() + 1);
  for (std::size_t i = 0; i != metas.size(); ++i) {
    metas[i].part = static_cast<std::int32_t>(i + 1);
    metas[i].parts = static_cast<std::int32_t>(metas.size());
    metas[i].totals = totals;
    for (const Column& column : target.columns) metas[i].columns.push_back(column.name);
    if (halves) metas[i].half = static_cast<std::int32_t>(i);
    if (bounds.empty()) continue;
    metas[i].key = target.range_key;
    if (i > 0) metas[i].from = bounds[i - 1];
    if (i < bounds.size()) metas[i].to = bounds[i];
  }
  return metas;
}

VerifyResult verifyPart(
    sqlclient::Connection& connection,
    const ImportOptions& options,
    const TargetTable& target,
    const Ledger& ledger,
    std::int64_t task,
    std::int64_t root,
    const VerifyMeta& meta
) {
  VerifyResult result;
  result.part = meta.part;
  result.parts = meta.parts;
  result.by_table = options.into == Into::kEmpty;
  if (result.by_table) {
    const LedgerRow found = readRange(connection, target, meta);
    result.rows = found.rows;
    result.checksum = found.row_sum.toString();
    sqlclient::Transaction transaction(connection);
    ledger.take(connection, task, kStepVerify, meta.part);
    ledger.finish(connection, task, kStepVerify, meta.part, found);
    transaction.commit();
  }
  // Each part looks after its own commit, so the last one, at least, sees all.
  const LedgerSums parts = ledger.sums(connection, task, kStepVerify);
  if (result.by_table && parts.count < static_cast<std::uint64_t>(meta.parts)) return result;
  const LedgerSums chunks = ledger.sums(connection, root, kStepImport);
  compareWithPlan(chunks, meta.totals, options.max_bad_records);
  if (result.by_table) compareWithTable(parts, chunks);
  result.whole = true;
  result.verified_rows = result.by_table ? parts.total.rows : chunks.total.rows;
  result.bad_records = chunks.total.bad;
  result.total_checksum = parts.total.row_sum.toString();
  result.columns_left_out = target.columnsLeftOut();
  return result;
}

}  // namespace disttask::csv_import
