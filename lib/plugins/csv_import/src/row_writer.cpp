#include "row_writer.hpp"

#include "statements.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <utility>

namespace disttask::csv_import {
namespace {

// Measured: from about a thousand values on a statement gains nothing, and both sides keep memory for each.
constexpr std::size_t kBatchValues = 1000;
constexpr std::size_t kMaxBatchRows = 512;
constexpr std::uint64_t kBatchBytes = std::uint64_t{512} << 10;

// Content that the server refuses, where the number alone says so: foreign keys, partitions, views with check,
// triggers.
constexpr std::array kRefusals = {1062, 1048, 1216, 1369, 1411, 1452, 1526, 1586, 1644, 1690, 1748, 3819, 4025};
// What a warning says about a value that was changed to fit.
constexpr std::array kChanges = {1264, 1265, 1292, 1366, 1406};

template <std::size_t N>
bool isAmong(const std::array<int, N>& numbers, std::int64_t number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

// "… at row 17" gives 17; 0 when the text says nothing.
std::size_t rowOf(const std::string& message) {
  const std::size_t found = message.rfind("at row ");
  std::size_t row = 0;
  if (found != std::string::npos) std::from_chars(message.data() + found + 7, message.data() + message.size(), row);
  return row;
}

bool mayChangeSilently(const TargetTable& target) {
  return std::any_of(target.columns.begin(), target.columns.end(), [](const Column& column) {
    return column.kind == ColumnKind::kOther || (column.kind == ColumnKind::kText && column.max_length == 0);
  });
}

// MySQL lets only some accounts set the number of warnings that are kept.
void requireWarnings(sqlclient::Connection& connection) {
  auto rows = connection.query(statements::kKeptWarnings, {});
  if (rows.next() && rows.getInt(1) > 0) return;
  throw Exception(
      ErrorCode::kStoreSessionUnfit,
      "the server keeps no warnings, which tell of changed values: max_error_count is 0, and this account may not set "
      "it"
  );
}

std::size_t capacityFor(std::size_t num_columns) {
  return std::clamp<std::size_t>(kBatchValues / std::max<std::size_t>(num_columns, 1), 1, kMaxBatchRows);
}

}  // namespace

bool isRefusal(const Error& error) {
  if (error.storeNumber() == kTransactionTooLarge) return false;
  return error.code() == ErrorCode::kStoreContent || isAmong(kRefusals, error.storeNumber());
}

RowWriter::RowWriter(
    sqlclient::Connection& connection,
    const TargetTable& target,
    OnDuplicate mode,
    bool undo_singly,
    OnRefused on_refused
)
    : connection_(connection),
      target_(target),
      mode_(mode),
      on_refused_(std::move(on_refused)),
      num_columns_(target.columns.size()),
      capacity_(capacityFor(num_columns_)),
      watch_warnings_(mayChangeSilently(target)),
      counts_warnings_(connection.flavour() == sqlclient::Flavour::kMySql),
      use_savepoints_(watch_warnings_ && (undo_singly || counts_warnings_)),
      values_(capacity_ * num_columns_) {
  for (std::size_t rows = 1; rows < capacity_; rows *= 2) texts_.push_back(statements::insertRows(target, mode, rows));
  texts_.push_back(statements::insertRows(target, mode, capacity_));
  sources_.reserve(capacity_);
  if (counts_warnings_ && watch_warnings_) requireWarnings(connection);
  // Preparing it later would make the server forget the warnings that it is asked for.
  if (watch_warnings_) static_cast<void>(warning());
}

void RowWriter::push(const RowSource& source, std::uint64_t bytes) {
  sources_.push_back(source);
  bytes_ += bytes;
  if (sources_.size() == capacity_ || bytes_ >= kBatchBytes) flush();
}

void RowWriter::flush() {
  write(0, sources_.size());
  sources_.clear();
  bytes_ = 0;
}

// In pieces of 2^i rows, so that a few prepared statements serve batches of any size.
void RowWriter::write(std::size_t first, std::size_t count) {
  while (count > 0) {
    const std::size_t piece = count == capacity_ ? count : std::bit_floor(count);
    writePiece(first, piece);
    first += piece;
    count -= piece;
  }
}

void RowWriter::writePiece(std::size_t first, std::size_t count) {
  std::int64_t affected = 0;
  try {
    if (use_savepoints_) connection_.execute("savepoint disttask_rows");
    affected = insert(first, count);
    if (watch_warnings_) refuseChanged(first, count);
  } catch (const Exception& exception) {
    if (!isRefusal(exception.error())) throw;
    if (use_savepoints_) connection_.execute("rollback to savepoint disttask_rows");
    if (count == 1) {
      on_refused_(sources_[first], exception.error().message());
      return;
    }
    write(first, count / 2);
    write(first + count / 2, count - count / 2);
    return;
  }
  if (mode_ == OnDuplicate::kError && affected != static_cast<std::int64_t>(count)) {
    throw Exception(
        ErrorCode::kInternal,
        "an insert of " + std::to_string(count) + " rows reported " + std::to_string(affected) + " of them"
    );
  }
  RowSum hashes;
  for (std::size_t i = first; i != first + count; ++i) hashes.add(sources_[i].hash);
  noteWritten(mode_ == OnDuplicate::kIgnore ? static_cast<std::uint64_t>(affected) : count, hashes);
}

std::int64_t RowWriter::insert(std::size_t first, std::size_t count) {
  const std::string& text =
      count == capacity_ ? texts_.back() : texts_[static_cast<std::size_t>(std::countr_zero(count))];
  if (first == 0 && count == capacity_) return connection_.updateDynamic("csv_import.insert", text, values_);
  const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(first * num_columns_);
  piece_.assign(begin, begin + static_cast<std::ptrdiff_t>(count * num_columns_));
  return connection_.updateDynamic("csv_import.insert", text, piece_);
}

void RowWriter::refuseChanged(std::size_t first, std::size_t count) {
  std::string message = warning();
  if (message.empty()) return;
  message = "the server would change a value: " + message;
  if (use_savepoints_) throw Exception(ErrorCode::kStoreContent, message);
  const std::size_t row = std::clamp<std::size_t>(rowOf(message), 1, count);
  on_refused_(sources_[first + row - 1], message);
  throw Exception(ErrorCode::kInternal, message);  // the row is in: whoever has no savepoint must give up
}

std::string RowWriter::warning() {
  if (counts_warnings_) {
    connection_.execute(statements::kCountWarnings);
    connection_.execute(statements::kFirstWarning);
    auto rows = connection_.query(statements::kCountedWarnings, {});
    return rows.next() && rows.getInt(1) > 0 ? rows.getString(2) : std::string();
  }
  auto warnings = connection_.query(statements::kWarnings, {});
  while (warnings.next()) {
    if (isAmong(kChanges, warnings.getInt(2))) return warnings.getString(3);
  }
  return {};
}

}  // namespace disttask::csv_import
