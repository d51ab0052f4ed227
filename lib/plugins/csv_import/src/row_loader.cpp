#include "row_loader.hpp"

#include "statements.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace disttask::csv_import {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{4} << 20;
constexpr std::size_t kCheckBytes = std::size_t{64} << 10;
// Not allowed on the server, or for this client.
constexpr std::array kForbidden = {1148, 2000, 3948, 4166};

// What stands behind a backslash for a byte; 0: the byte stands for itself.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> escapes{};
  escapes[0] = '0';
  escapes['\t'] = 't';
  escapes['\n'] = 'n';
  escapes['\\'] = '\\';
  return escapes;
}();

// True if one of the eight bytes is zero, tab, line feed or backslash; may also be true for none of them.
bool mayNeedEscape(std::uint64_t word) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  const auto has_zero = [](std::uint64_t value) { return (value - kOnes) & ~value & (kOnes * 0x80); };
  return (has_zero(word) | has_zero(word ^ (kOnes * '\t')) | has_zero(word ^ (kOnes * '\n')) |
          has_zero(word ^ (kOnes * '\\'))) != 0;
}

void appendText(std::string& text, std::string_view value) {
  const char* const data = value.data();
  std::size_t begin = 0;  // of what is not appended yet
  std::size_t at = 0;
  while (at < value.size()) {
    if (value.size() - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, data + at, sizeof word);
      if (!mayNeedEscape(word)) {
        at += 8;
        continue;
      }
    }
    const std::size_t stop = std::min(at + 8, value.size());
    for (; at < stop; ++at) {
      const char escape = kEscapes[static_cast<unsigned char>(data[at])];
      if (escape == 0) continue;
      text.append(data + begin, at - begin);
      text += '\\';
      text += escape;
      begin = at + 1;
    }
  }
  text.append(data + begin, value.size() - begin);
}

void appendNumber(std::string& text, std::int64_t number) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  text.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

}  // namespace

void appendRow(std::string& text, const sqlclient::Value* values, std::size_t count) {
  for (std::size_t i = 0; i != count; ++i) {
    if (i != 0) text += '\t';
    if (const auto* bytes = std::get_if<std::string>(&values[i])) {
      appendText(text, *bytes);
    } else if (const auto* number = std::get_if<std::int64_t>(&values[i])) {
      appendNumber(text, *number);
    } else if (std::holds_alternative<std::nullptr_t>(values[i])) {
      text += "\\N";
    } else {
      throw Exception(ErrorCode::kInternal, "a converted row holds no doubles");
    }
  }
  text += '\n';
}

bool serverTakesLoads(sqlclient::Connection& connection) {
  if (connection.flavour() != sqlclient::Flavour::kMariaDb || !connection.canLoad()) return false;
  auto rows = connection.query(statements::kLoadVariables, {});
  bool allowed = false;
  while (rows.next()) {
    const bool on = rows.getString(2) == "ON";
    if (rows.getString(1) == "local_infile") {
      allowed = on;
    } else if (on) {
      return false;  // wsrep_on
    }
  }
  return allowed;
}

bool tableTakesLoads(const TargetTable& target) {
  return target.is_plain && !target.has_index &&
         std::all_of(target.columns.begin(), target.columns.end(), [](const Column& column) {
           return !column.auto_increment && !(column.kind == ColumnKind::kText && column.converts);
         });
}

RowLoader::RowLoader(
    sqlclient::Connection& connection,
    const TargetTable& target,
    std::uint64_t expected_bytes,
    std::function<void(const std::function<void()>& send)> load,
    std::function<void()> check
)
    : connection_(connection),
      load_(std::move(load)),
      check_(std::move(check)),
      statement_(statements::loadRows(target)),
      values_(target.columns.size()) {
  // Once and with room to spare, since growing doubles.
  text_.reserve(std::min<std::size_t>(kPieceBytes, expected_bytes + expected_bytes / 16) + (std::size_t{64} << 10));
}

void RowLoader::push(const RowSource& source, std::uint64_t) {
  appendRow(text_, values_.data(), values_.size());
  ++num_rows_;
  rows_sum_.add(source.hash);
  if (text_.size() >= kPieceBytes) flush();
}

void RowLoader::flush() {
  if (num_rows_ == 0) return;
  load_([this] { send(); });
  noteWritten(num_rows_, rows_sum_);
  num_rows_ = 0;
  rows_sum_ = {};
  text_.clear();
}

void RowLoader::send() {
  std::size_t at = 0;
  std::size_t checked = 0;
  const auto source = [&](char* buffer, std::size_t size) {
    if (at - checked >= kCheckBytes) {
      check_();
      checked = at;
    }
    const std::size_t given = text_.copy(buffer, size, at);
    at += given;
    return given;
  };
  sqlclient::Loaded loaded;
  try {
    loaded = connection_.load("csv_import.load", statement_, source);
  } catch (const Exception& exception) {
    // A conflict, a lost connection and the like are no matter of the rows.
    if (connection_.isBroken() || exception.error().reaction() != Reaction::kGiveUp) throw;
    const int number = exception.error().storeNumber();
    const bool forbidden = std::find(kForbidden.begin(), kForbidden.end(), number) != kForbidden.end();
    throw LoadRefused{exception.error().message(), forbidden};
  }
  // Local loads skip and mend rows, with a warning for each.
  if (loaded.rows == static_cast<std::int64_t>(num_rows_) && loaded.warnings == 0) return;
  throw LoadRefused{
      std::to_string(loaded.rows) + " of " + std::to_string(num_rows_) + " rows were loaded, with " +
          std::to_string(loaded.warnings) + " warnings",
      false};
}

}  // namespace disttask::csv_import
